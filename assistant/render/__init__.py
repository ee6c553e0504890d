"""Notes as people see them in a terminal. Text from telemetry and models is placed as plain text, never as markup."""
