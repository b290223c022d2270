"""Networks over the frames of a clip: ResNet, TSM, TDN, torchvision's video models."""
