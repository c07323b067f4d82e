"""Tables of a ledger in a SQL database; none has an index, for one that is damaged would hide rows.

``since`` in a table's ``info`` is the schema that brought it. All are append-only and on the chain but `CHAIN` itself
and `JOBS`, where workers note how far they are: that one is ``working``, and nothing rests on it.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
ROWS = sa.Table(
    "entries",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("dataset", "id", "action", "kind", "recorded_at")),
    sa.Column("reported_on", sa.Date, nullable=False),
    *(sa.Column(name, sa.String) for name in ("reason", "indicator", "state", "precision", "source", "url")),
    *(sa.Column(name, sa.String) for name in ("grade", "story", "note")),
    *(sa.Column(name, sa.Date) for name in ("date", "until")),
    sa.Column("distinct", sa.Boolean),
    *(sa.Column(name, sa.String) for name in ("coded_by", "language")),  # last, as in a file that was given them later
    *(sa.Column(name, sa.String) for name in ("channel", "delivery", "feed", "file", "digest")),
    *(sa.Column(name, sa.Integer) for name in ("count", "read", "kept", "faulty", "repeated")),
    sa.Column("exposure", sa.Float),
    sa.Column("recorded_by", sa.String),
    sa.CheckConstraint("action IN ('add', 'retract') AND kind IN ('observation', 'coverage', 'count', 'delivery')"),
    sqlite_autoincrement=True,
)
ISSUED = sa.Table(
    "forecasts",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model", "issued_at", "evidence_hash", "model_hash")),
    sa.Column("fit", sa.String, nullable=False),
    sa.Column("content", sa.String),  # the report, of a version that did not compress it
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("watermark", sa.Integer, nullable=False),
    sa.Column("recorded_by", sa.String),
    sa.Column("packed", sa.LargeBinary),  # the report, compressed; the chain holds the digest of the text
    sa.CheckConstraint("(content IS NULL) <> (packed IS NULL)"),
    sqlite_autoincrement=True,
)
RESOLVED = sa.Table(
    "resolutions",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model", "outcome", "answer", "how", "reason", "url")),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model_hash", "recorded_at")),
    *(sa.Column(name, sa.Date, nullable=False) for name in ("date", "as_of")),
    *(sa.Column(name, sa.Date) for name in ("since", "frozen")),
    sa.Column("recorded_by", sa.String),
    sa.CheckConstraint("answer IN ('yes', 'no', 'void') AND how IN ('rule', 'analyst')"),
    sqlite_autoincrement=True,
)
JUDGED = sa.Table(
    "judgements",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("analyst", "model", "outcome", "recorded_at")),
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("since", sa.Date),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("blind", sa.Boolean, nullable=False),
    *(sa.Column(name, sa.String) for name in ("note", "recorded_by")),
    sa.CheckConstraint("probability >= 0 AND probability <= 1"),
    sqlite_autoincrement=True,
    info={"since": 5},
)
PUBLISHED = sa.Table(  # row by row with `ISSUED`: what is read without the whole report, compressed too
    "published",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
    info={"since": 5},
)
TOKENS = sa.Table(
    "tokens",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("id", "action", "recorded_at")),
    *(sa.Column(name, sa.String) for name in ("person", "scope", "digest", "recorded_by")),
    sa.CheckConstraint("action IN ('new', 'revoke') AND scope IN ('read', 'write', 'admin')"),
    sqlite_autoincrement=True,
    info={"since": 5},
)
JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model", "state", "asked_by", "asked_at", "settings")),
    sa.Column("as_of", sa.Date, nullable=False),
    *(sa.Column(name, sa.String) for name in ("worker", "started_at", "seen_at", "ended_at", "stage", "message")),
    *(sa.Column(name, sa.Integer) for name in ("done", "total", "issue")),
    sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')"),
    sqlite_autoincrement=True,
    info={"since": 5, "working": True},
)
CHAIN = sa.Table(
    "chain",
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "content", "digest")),
    sa.Column("row", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
