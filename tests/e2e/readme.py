"""What README.md tells a newcomer to try, read from README.md itself."""

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def rows(heading):
    """Return the rows (lists of cells) of the table whose first column is headed so."""
    lines = README.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def logins():
    """Return {log-in: (who, what is seen)}."""
    return {login: (who, sees) for login, who, sees in rows("Log in as")}


def amounts():
    """Return {amount (text): what the README says happens}; amounts named in brackets have their own."""
    found = {}
    for amount, happens in rows("Purchase of"):
        first, _bracket, others = happens.partition("(")
        found[amount] = first.strip() or happens
        for other, text in re.findall(r"(\d+\.\d\d) ([^,)]+)", others):
            found[other] = f"{first.strip()}: {text}"
    return found


def step(number):
    """Return the text of a step of "What to try", in one line."""
    found = re.search(rf"^{number}\. (.*?)(?=^\d\. |^\||^$)", README, re.M | re.S)
    return " ".join(found[1].split())


def emphasised(text):
    """Return what stands between stars in a text: names of menus, buttons and methods."""
    return re.findall(r"\*([^*]+)\*", text)
