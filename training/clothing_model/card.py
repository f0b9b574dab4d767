"""Fills the model card, `model_card.md`, with the figures of a report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def counted(answers: dict[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in answers.items()) or "-"


def figures_table(report: dict) -> str:
    rows = []
    for precision, part in sorted(report["precisions"].items(), key=lambda item: -item[1]["version"]):
        figures = part["figures"]
        rows.append(
            (
                f"{part['version']} ({precision})",
                percent(figures["accuracy"]),
                figures["negative_log_likelihood"],
                figures["expected_calibration_error"],
                figures["expected_calibration_error_of_other_half"],
                figures["temperature"],
                figures["threshold"],
                percent(figures["share_sure"]),
                percent(figures["accuracy_where_sure"]),
            )
        )
    head = (
        "version", "accuracy", "negative log-likelihood", "calibration error", "the same, fitted on the other half",
        "temperature", "threshold", "sure", "accuracy where sure",
    )  # fmt: skip
    return table(head, rows)


def candidates_table(report: dict) -> str:
    rows = [
        (
            name,
            percent(figures["accuracy"]),
            figures["negative_log_likelihood"],
            figures["expected_calibration_error"],
            figures["temperature"],
            "chosen" if name == report["chosen"] else "",
        )
        for name, figures in report["candidates"].items()
    ]
    return table(
        ("fp32 weights of", "accuracy", "negative log-likelihood", "calibration error", "temperature", ""), rows
    )


def classes_table(part: dict) -> str:
    rows = []
    for index, (label, figures) in enumerate(part["per_class"].items()):
        confused = {
            part["labels"][column]: count
            for column, count in enumerate(part["confusion"][index])
            if count and column != index
        }
        answers = counted(dict(sorted(confused.items(), key=lambda item: -item[1])))
        rows.append(
            (
                label,
                figures["photos"],
                percent(figures["precision"]),
                percent(figures["recall"]),
                figures["f1"],
                answers,
            )
        )
    return table(("class", "photos", "precision", "recall", "F1", "taken for"), rows)


def wrong_table(part: dict) -> str:
    rows = [
        (f"`{row['path']}`", row["answer"], percent(row["probability"]), percent(row["probability_of_label"]))
        for row in part["wrong_answers"]
    ]
    return table(("photo", "answer", "probability", "probability of the label"), rows)


def badly_shown_table(report: dict) -> str:
    rows = [
        (name, percent(row["accuracy"]), percent(row["share_sure"]), percent(row["share_sure_and_wrong"]))
        for name, row in report["odd_pictures"]["clothes_badly_shown"].items()
    ]
    return table(("validation photos", "right", "sure", "sure and wrong"), rows)


def no_clothes_table(report: dict) -> str:
    rows = [
        (name, row["pictures"], percent(row["share_sure"]), counted(row["answers"]), counted(row["answers_when_sure"]))
        for name, row in report["odd_pictures"]["no_clothes"].items()
    ]
    return table(("pictures of", "number", "sure", "most frequent answers", "answers when sure"), rows)


def other_things_table(report: dict) -> str:
    rows = [
        (row["picture"], row["answer"], percent(row["probability"]), "sure" if row["sure"] else "not sure")
        for row in report["odd_pictures"]["photos_of_other_things"]
    ]
    return table(("picture", "top answer", "probability", ""), rows)


def write_card(report: dict, file: Path) -> None:
    """Writes the card. A placeholder without a table, or a table without a placeholder, is a KeyError."""
    default = report["precisions"][report["default"]["precision"]]
    text = (Path(__file__).parent / "model_card.md").read_text()
    tables = {
        "figures": figures_table(report),
        "candidates": candidates_table(report),
        "classes": classes_table(default),
        "wrong": wrong_table(default),
        "badly-shown": badly_shown_table(report),
        "no-clothes": no_clothes_table(report),
        "other-things": other_things_table(report),
        "default": f"{report['default']['version']} ({report['default']['precision']})",
        "default-precision": report["default"]["precision"],
        "train": report["photos"]["train"],
        "validation": report["photos"]["validation"],
        "data-digest": report["photos"]["data_digest"],
        "weights-digest": report["weights_digest"],
        "git-commit": report["git_commit"],
    }
    for name, value in tables.items():
        placeholder = f"{{{{{name}}}}}"
        if placeholder not in text:
            raise KeyError(f"model_card.md has no {placeholder}")
        text = text.replace(placeholder, str(value))
    if "{{" in text:
        raise KeyError(f"model_card.md has an unknown placeholder: {text[text.index('{{') :][:40]}")
    file.write_text(text)
