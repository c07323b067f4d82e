-- A ledger of schema 4, as the version before people and queues wrote it: three rows, of which one was withdrawn, an
-- issued forecast and an answer, all on the chain. From `sqlite3.Connection.iterdump`.
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE chain (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (seq > 0), 
	kind VARCHAR NOT NULL, 
	content VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	"row" INTEGER NOT NULL
);
INSERT INTO "chain" VALUES(1,'entries','','0a54aa8878703c552192075cb2facc8d10f646e805f72b6624a796175d614776',1);
INSERT INTO "chain" VALUES(2,'entries','','2556a7128e78251e995c032a859a2ae27a3eed6e21546087f2fbb5c06420324d',2);
INSERT INTO "chain" VALUES(3,'entries','','32dd2c4632d3687b218e143d43db5540b688be25f175c0f2ca2263c7b62c1cd8',3);
INSERT INTO "chain" VALUES(4,'entries','','262e1752983db86848012fa3a09c116eef359d01e1f679e85e0fe5ecd27db800',4);
INSERT INTO "chain" VALUES(5,'forecasts','400aa2d6c535398f4fadb8aa507bc74e2eb3fa5f1a075dd35b8fa8c1768352b8','90e868b415c81ab0fad80878f7fb143af2529d4883ae366cd9c2d4d068e85b79',1);
INSERT INTO "chain" VALUES(6,'resolutions','','c11bb64503784516bf181f2d0406ea7362aa442ee79268a960f4d274490cfcfa',1);
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
	channel VARCHAR, 
	delivery VARCHAR, 
	feed VARCHAR, 
	file VARCHAR, 
	digest VARCHAR, 
	count INTEGER, 
	read INTEGER, 
	kept INTEGER, 
	faulty INTEGER, 
	repeated INTEGER, 
	exposure FLOAT, 
	CHECK (action IN ('add', 'retract') AND kind IN ('observation', 'coverage', 'count', 'delivery'))
);
INSERT INTO "entries" VALUES(1,'caucasus','a','add','observation','2026-01-08T12:30:00.000000+00:00','2025-02-22',NULL,'cyberattack',NULL,'day','APA','https://apa.az/1','B2','','','2025-02-20',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "entries" VALUES(2,'caucasus','hostile_acts-2025-03-03','add','count','2026-01-08T12:30:00.000000+00:00','2025-03-10',NULL,NULL,NULL,NULL,'GDELT',NULL,NULL,NULL,'','2025-03-03','2025-03-09',NULL,NULL,NULL,'hostile_acts','gdelt-0123456789ab',NULL,NULL,NULL,40,NULL,NULL,NULL,NULL,120000.0);
INSERT INTO "entries" VALUES(3,'caucasus','b','add','observation','2026-01-08T12:30:00.000000+00:00','2025-02-22',NULL,'cyberattack',NULL,'day','APA','https://apa.az/1','B2','','','2025-02-20',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "entries" VALUES(4,'caucasus','b','retract','observation','2026-01-08T12:30:00.000000+00:00','2025-02-22','false',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "resolutions" VALUES(1,'m','peace','yes','rule','r','','h','2026-01-08T12:30:00.000000+00:00','2025-06-01','2025-06-01',NULL,NULL);
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
INSERT INTO "sqlite_sequence" VALUES('entries',4);
INSERT INTO "sqlite_sequence" VALUES('chain',6);
INSERT INTO "sqlite_sequence" VALUES('forecasts',1);
INSERT INTO "sqlite_sequence" VALUES('resolutions',1);
COMMIT;
PRAGMA application_id = 1396919367;
PRAGMA user_version = 4;
