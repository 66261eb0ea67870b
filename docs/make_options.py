"""Write docs/options.md from the configurations: `python docs/make_options.py`."""

from pathlib import Path

from fsanet_tf.commands.command_line import describe_option
from fsanet_tf.commands.main import COMMANDS, load_command

PAGE = Path(__file__).with_name("options.md")
HEADER = """# Options

Pass an option as `--name=value`, or as `--name` or `--noname` if its default is True or False. In Python, it
is a field of the same name of a configuration, such as `fsanet_tf.TrainingConfig`. `fsanet COMMAND --help`
prints the same descriptions; `python docs/make_options.py` generates this page.
"""


def make_page() -> str:
    """Return the page: a table per command, required options first."""
    sections = [HEADER]
    for name in COMMANDS:
        command = load_command(name)
        values, required = command.make_flags(), command.required_options()
        others = [option for option in values if values[option].name == option and option not in required]
        rows = ["| option | meaning | default |", "|---|---|---|"]
        for option in (*required, *others):
            meaning, default = describe_option(values[option])
            default = "required" if option in required else default
            rows.append(f"| `{option}` | {meaning.replace('|', chr(92) + '|')} | {default} |")
        sections.append(f"## fsanet {name}\n\n{command.summary}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
