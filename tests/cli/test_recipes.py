"""`cdkd recipes`: the list, one recipe's values beside their sources, and the same for programs."""

import json

from click.testing import CliRunner

from cdkd.cli.recipes import command


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False).output


def test_the_list_names_every_recipe_with_its_sentence() -> None:
    lines = run().splitlines()
    assert [line.split()[0] for line in lines] == [
        "hmdb51", "hmdb51-lite", "kinetics400", "kinetics400-lite", "paper", "shapes1", "shapes2", "ssv2",
        "ssv2-lite", "ucf101", "ucf101-lite",
    ]  # fmt: skip
    assert "Something-Something V2 with the authors' own teachers" in run()


def test_values_stand_beside_their_source() -> None:
    text = run("ucf101-lite")
    assert "--teacher ARCH=FILE (needed): the checkpoint that the teacher's fine-tuning starts from\n" in text
    lines = {line[:57].strip(): line[58:] for line in text.splitlines() if " = " in line[:57]}
    assert lines["evaluation.crops = 1"].startswith("our choice: the centre alone")
    assert lines["teacher.train.learning_rate = 0.002"].startswith("TDN, author in issue 56: 8 GPUs x 16 clips")
    # The second of two values of one source.
    assert lines["teacher.train.batch_size = 32"] == '"' and lines["train.batch_size = 32"].endswith("rates follow")
    # A value that was changed stands there once, as it is now.
    assert text.count("student.streams = ") == 1 and "student.streams = lite" in text
    assert max(map(len, text.splitlines()[3:])) <= 118


def test_programs_get_every_value_with_its_network_source_and_recipe() -> None:
    record = json.loads(run("ssv2-lite", "--json"))
    assert (record["recipe"], record["teacher_files"]) == ("ssv2-lite", "checkpoint")
    values = {(value["network"], value["key"]): value for value in record["values"]}
    assert values["tdn", "data.flip"]["value"] == "swap" and values["tsm", "data.flip"]["value"] == "off"
    assert values["common", "student.streams"]["recipe"] == "ssv2-lite"
    assert values["common", "data.input_size"]["recipe"] == "paper"
    decay = values["common", "teacher.train.weight_decay"]
    assert decay["value"] == 5e-4 and "1e-4" in decay["source"]
    assert all(value["source"] for value in record["values"])
    assert len(json.loads(run("--json"))) == 11
