package history

// version is written to the file as its user_version. A program refuses a file of a later one and
// upgrades one of an earlier one.
const version = 10

// schema holds the tables of the first version; [upgrades] has what came later. Numbers that
// are uint64 in Go are kept as int64 with the same bits. Times are nanoseconds since 1970, what an
// attacker wrote is a BLOB, and what is absent is NULL. The ids of events rise in the order of arrival, so nothing needs an index beside them.
const schema = `
CREATE TABLE IF NOT EXISTS agents (
	id               INTEGER PRIMARY KEY,
	name             TEXT NOT NULL UNIQUE,
	heard            INTEGER,
	dropped_events   INTEGER NOT NULL,
	dropped_attempts INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS marks (
	agent     INTEGER NOT NULL,
	epoch     INTEGER NOT NULL,
	committed INTEGER NOT NULL,
	ordinal   INTEGER NOT NULL,
	PRIMARY KEY (agent, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (
	day      INTEGER NOT NULL, -- 20261120; 0 is a day that damage made unknown
	agent    INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	test     INTEGER NOT NULL,
	events   INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	PRIMARY KEY (day, agent, kind, test)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
	id       INTEGER PRIMARY KEY,
	agent    INTEGER NOT NULL,
	epoch    INTEGER NOT NULL,
	sequence INTEGER NOT NULL,
	arrived  INTEGER NOT NULL,
	logged   INTEGER,
	observed INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	severity INTEGER NOT NULL,
	test     INTEGER NOT NULL,
	count    INTEGER NOT NULL,
	rule     BLOB,
	source   BLOB,
	host     BLOB,
	port     INTEGER,
	user     BLOB,
	log      BLOB,
	detail   BLOB
) STRICT;`

// upgrades[v] makes a file of version v one of version v+1. A new file goes through all of them.
var upgrades = [version]string{
	0: schema,
	1: `
CREATE TABLE IF NOT EXISTS numbers (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO numbers SELECT 'last event', coalesce(max(id), 0) FROM events;`,
	2: `ALTER TABLE events ADD COLUMN machine BLOB;`,
	3: rollupTable,
	4: storedTable,
	5: namedTable,
	6: listsTable,
	7: "", // [store.takeRollups] does it
	8: "", // [store.makeMonths] does it
	9: listsAside,
}

// storedTable counts the events that are stored of each agent.
const storedTable = `
CREATE TABLE IF NOT EXISTS stored (
	agent  INTEGER PRIMARY KEY,
	events INTEGER NOT NULL
) STRICT;
DELETE FROM stored;
INSERT INTO stored SELECT agent, count(*) FROM events WHERE sequence > 0 GROUP BY agent;`
