#!/usr/bin/python3
"""Reads every view of a store through psycopg2 and SQLAlchemy, as an
application does: each value arrives as the Python type of its SQL type, and
filters take parameters.

    views.py URL STORE
"""
import datetime
import decimal
import sys

import sqlalchemy
from sqlalchemy import func, select

CLASSES = {
    "TEXT": str, "INTEGER": int, "BIGINT": int, "NUMERIC": decimal.Decimal, "BOOLEAN": bool,
    "DATE": datetime.date, "TIMESTAMP": datetime.datetime, "DOUBLE PRECISION": float, "DOUBLE_PRECISION": float,
}
url, store = sys.argv[1:]
engine = sqlalchemy.create_engine(url, future=True)
faults = 0


def fault(what):
    global faults
    print("FAULT", what)
    faults += 1


def read(connection, name):
    # reflection: what an ORM makes of it
    view = sqlalchemy.Table(name, sqlalchemy.MetaData(schema=store), autoload_with=connection)
    for column in view.columns:
        if column.type.__visit_name__.upper() not in CLASSES:
            fault(f"{name}.{column.name} is of the type {column.type!r}")
        if isinstance(column.type, sqlalchemy.types.Numeric) and column.type.__visit_name__.upper() == "NUMERIC" and column.type.precision is None:
            fault(f"{name}.{column.name} has no precision")
    rows = connection.execute(select(view).limit(1000)).all()
    for row in rows:
        for column, value in zip(view.columns, row):
            expected = CLASSES.get(column.type.__visit_name__.upper())
            if value is not None and expected is not None and type(value) is not expected:
                fault(f"{name}.{column.name} is a {type(value)}")
            if isinstance(value, datetime.datetime) and value.tzinfo is None:
                fault(f"{name}.{column.name} has no time zone")
    print(f"{name}: {len(view.columns)} columns, {'rows' if rows else 'no rows'}")
    # the first row is found again by each of its values
    for column, value in zip(view.columns, rows[0] if rows else ()):
        if value is not None and not isinstance(value, float):
            if connection.execute(select(func.count()).select_from(view).where(column == value)).scalar_one() < 1:
                fault(f"{name}.{column.name} = parameter does not find {value!r}")


with engine.connect() as connection:
    views = sorted(sqlalchemy.inspect(connection).get_view_names(schema=store))
    for view in views:
        read(connection, view)
    print(len(views), "views")
sys.exit(faults > 0)
