-- A ledger of schema 3, as the version before counts and deliveries wrote it: two rows, of which one was withdrawn, and
-- an issued forecast, all on the chain. From `sqlite3.Connection.iterdump`.
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE chain (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (seq > 0), 
	kind VARCHAR NOT NULL, 
	content VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	"row" INTEGER NOT NULL
);
INSERT INTO "chain" VALUES(1,'entries','','0bf65e14a8565a2ea36c875b740b735e86e86c66fead60c43f7c9d1f2e29faee',1);
INSERT INTO "chain" VALUES(2,'entries','','8f13eb0c5cfaa99a6977659f3d93b9c93cfbe946176eece2d47c23e3b23616ed',2);
INSERT INTO "chain" VALUES(3,'forecasts','400aa2d6c535398f4fadb8aa507bc74e2eb3fa5f1a075dd35b8fa8c1768352b8','5af8df42f10b6da07f3f6d4244d9c5603a0d761c3e2b4ee0d2f2799aad6b24e8',1);
INSERT INTO "chain" VALUES(4,'entries','','d8e3419f414bf2a5a0021c69541e1f95aade6067174a39eb1c6f7c0059c0167c',3);
CREATE TABLE entries (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (seq > 0), 
	dataset VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	recorded_at VARCHAR NOT NULL, 
	reported_on DATE NOT NULL, 
	reason VARCHAR, 
	indicator VARCHAR, 
	state VARCHAR, 
	precision VARCHAR, 
	source VARCHAR, 
	url VARCHAR, 
	grade VARCHAR, 
	story VARCHAR, 
	note VARCHAR, 
	date DATE, 
	until DATE, 
	"distinct" BOOLEAN, 
	coded_by VARCHAR, 
	language VARCHAR, 
	CHECK (action IN ('add', 'retract') AND kind IN ('observation', 'coverage'))
);
INSERT INTO "entries" VALUES(1,'caucasus','cyberattack-2025-02-20-717d2d','add','observation','2026-01-08T12:30:00.000000+00:00','2025-02-22',NULL,'cyberattack',NULL,'day','APA','https://apa.az/1','B2','','','2025-02-20',NULL,0,'GDELT','az');
INSERT INTO "entries" VALUES(2,'caucasus','w','add','coverage','2026-01-08T12:30:00.000000+00:00','2025-04-02',NULL,'*',NULL,NULL,'our own reading','',NULL,NULL,'','2025-03-01','2025-03-31',NULL,NULL,NULL);
INSERT INTO "entries" VALUES(3,'caucasus','w','retract','coverage','2026-01-08T12:30:00.000000+00:00','2025-04-02','wrong',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE forecasts (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (seq > 0), 
	model VARCHAR NOT NULL, 
	issued_at VARCHAR NOT NULL, 
	evidence_hash VARCHAR NOT NULL, 
	model_hash VARCHAR NOT NULL, 
	fit VARCHAR NOT NULL, 
	content VARCHAR NOT NULL, 
	as_of DATE NOT NULL, 
	watermark INTEGER NOT NULL
);
INSERT INTO "forecasts" VALUES(1,'theory','2026-01-08T12:30:00.000000+00:00','e','m','f','{"p": 0.5}','2025-06-01',7);
CREATE TABLE resolutions (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (seq > 0), 
	model VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	answer VARCHAR NOT NULL, 
	how VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	url VARCHAR NOT NULL, 
	model_hash VARCHAR NOT NULL, 
	recorded_at VARCHAR NOT NULL, 
	date DATE NOT NULL, 
	as_of DATE NOT NULL, 
	since DATE, 
	frozen DATE, 
	CHECK (answer IN ('yes', 'no', 'void') AND how IN ('rule', 'analyst'))
);
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries is append-only: nothing is changed; add a row that supersedes'); END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries is append-only: nothing is deleted; add a row that retracts'); END;
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM entries) BEGIN SELECT RAISE(ABORT, 'entries is append-only: nothing is replaced; rows go to the end'); END;
CREATE TRIGGER forecasts_no_update BEFORE UPDATE ON forecasts BEGIN SELECT RAISE(ABORT, 'forecasts is append-only: nothing is changed; add a row that supersedes'); END;
CREATE TRIGGER forecasts_no_delete BEFORE DELETE ON forecasts BEGIN SELECT RAISE(ABORT, 'forecasts is append-only: nothing is deleted; add a row that retracts'); END;
CREATE TRIGGER forecasts_no_replace BEFORE INSERT ON forecasts WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM forecasts) BEGIN SELECT RAISE(ABORT, 'forecasts is append-only: nothing is replaced; rows go to the end'); END;
CREATE TRIGGER resolutions_no_update BEFORE UPDATE ON resolutions BEGIN SELECT RAISE(ABORT, 'resolutions is append-only: nothing is changed; add a row that supersedes'); END;
CREATE TRIGGER resolutions_no_delete BEFORE DELETE ON resolutions BEGIN SELECT RAISE(ABORT, 'resolutions is append-only: nothing is deleted; add a row that retracts'); END;
CREATE TRIGGER resolutions_no_replace BEFORE INSERT ON resolutions WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM resolutions) BEGIN SELECT RAISE(ABORT, 'resolutions is append-only: nothing is replaced; rows go to the end'); END;
CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'chain is append-only: nothing is changed; add a row that supersedes'); END;
CREATE TRIGGER chain_no_delete BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'chain is append-only: nothing is deleted; add a row that retracts'); END;
CREATE TRIGGER chain_no_replace BEFORE INSERT ON chain WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM chain) BEGIN SELECT RAISE(ABORT, 'chain is append-only: nothing is replaced; rows go to the end'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('entries',3);
INSERT INTO "sqlite_sequence" VALUES('chain',4);
INSERT INTO "sqlite_sequence" VALUES('forecasts',1);
COMMIT;
PRAGMA application_id = 1396919367;
PRAGMA user_version = 3;
