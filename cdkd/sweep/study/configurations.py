"""A study's runs as configurations, before any file or data set that they need is there."""

from cdkd.config import build_record, merge_dotted
from cdkd.settings import RunConfig
from cdkd.sweep.study.expansion import combinations
from cdkd.sweep.study.records import Study


def planned_configurations(study: Study) -> list[RunConfig]:
    """One per cell; stages that take something over are there with the value that the setting has without it."""
    return [
        build_record(RunConfig, merge_dotted({}, study.underlay.values({**values, "seed": seed})))
        for stage in study.stages
        for _, values in combinations(study, stage)
        if not study.lacks_file_of(values)
        for seed in study.seeds
    ]
