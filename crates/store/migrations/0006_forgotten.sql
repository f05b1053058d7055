-- Jobs whose owner wants their files gone before their time.

CREATE TABLE forgotten (
    job INTEGER PRIMARY KEY REFERENCES jobs
) STRICT;
