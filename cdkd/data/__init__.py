"""Arrays become batches: data sets, sampling, transforms, loaders."""
