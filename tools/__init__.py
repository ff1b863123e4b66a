"""The developer's command: everything behind `./dev`. Standard library only."""
