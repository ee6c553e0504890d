"""Living notes, revision by revision, and the database they are in.

`database` is the one door to SQLAlchemy: SQLite under the state directory, or PostgreSQL by URL and then shared by
replicas. `notes` keeps every revision once. Everything stored passes the final scanner first.
"""
