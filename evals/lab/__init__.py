"""The payments lab: a seeded payments world that can be broken in known ways. See README.md beside this file."""
