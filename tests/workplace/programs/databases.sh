# SPDX-License-Identifier: GPL-2.0-or-later
# sqlite with concurrent writers, in both journal modes.
for mode in delete wal; do
    rm -f db*; sqlite3 db "pragma journal_mode=$mode; create table t(writer int, n int);"
    for writer in 1 2 3 4; do
        (for n in $(seq 25); do sqlite3 -cmd '.timeout 60000' db "begin immediate; insert into t values($writer, $n); commit;" || echo failed; done) &
    done; wait
    sqlite3 db 'select writer, count(*), sum(n) from t group by writer; pragma integrity_check;'
done
sqlite3 db "with recursive c(n) as (select 1 union all select n + 1 from c where n < 100000) insert into t select 9, n from c; create index i on t(n); select count(*), max(n) from t; vacuum;"
python3 - <<'PYTHON'
import sqlite3, threading
def write(k):
    db = sqlite3.connect("db2", timeout=60)
    for n in range(50):
        with db: db.execute("insert into t values (?, ?)", (k, n))
db = sqlite3.connect("db2"); db.execute("pragma journal_mode=wal"); db.execute("create table t(k, n)"); db.commit()
threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(db.execute("select count(*), sum(n) from t").fetchone())
PYTHON
