BEGIN TRANSACTION;
CREATE TABLE payops_alert (
	incident TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	starts_at FLOAT NOT NULL, 
	ends_at FLOAT, 
	status TEXT NOT NULL, 
	received_at FLOAT NOT NULL, 
	deliveries INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (incident, fingerprint)
);
INSERT INTO "payops_alert" VALUES('inc-oldone','alertname=ApprovalRateLow|service=gateway|severity=critical',1790000000.0,1790000060.0,'resolved',1790000090.0,2,'{"active_at":null,"annotations":{},"ends_at":1790000060.0,"fingerprint":"alertname=ApprovalRateLow|service=gateway|severity=critical","group_key":"","inhibited":false,"labels":{"alertname":"ApprovalRateLow","service":"gateway","severity":"critical"},"silenced":false,"starts_at":1790000000.0,"status":"resolved"}');
INSERT INTO "payops_alert" VALUES('inc-oldtwo','alertname=QueueGrows|service=ledger|severity=critical',1790000000.0,NULL,'firing',1790000040.0,1,'{"active_at":null,"annotations":{},"ends_at":null,"fingerprint":"alertname=QueueGrows|service=ledger|severity=critical","group_key":"","inhibited":false,"labels":{"alertname":"QueueGrows","service":"ledger","severity":"critical"},"silenced":false,"starts_at":1790000000.0,"status":"firing"}');
CREATE TABLE payops_claim (
	"key" TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	until FLOAT NOT NULL, 
	done BOOLEAN NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE payops_executor (
	id TEXT NOT NULL, 
	started_at FLOAT NOT NULL, 
	beat_at FLOAT NOT NULL, 
	steady_since FLOAT NOT NULL, 
	shape TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE payops_incident (
	id TEXT NOT NULL, 
	opened_at FLOAT NOT NULL, 
	resolved_at FLOAT, 
	merged_into TEXT, 
	storm BOOLEAN NOT NULL, 
	wants INTEGER NOT NULL, 
	head TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "payops_incident" VALUES('inc-oldone',1790000030.0,1790000090.0,NULL,0,2,'{"entities":[["service","gateway"]],"firing":0,"groups":[],"joined_at":1790000030.0,"muted":false,"names":["ApprovalRateLow"],"onsets":[1790000000.0,1790000000.0],"scope":[],"severity":"critical"}');
INSERT INTO "payops_incident" VALUES('inc-oldtwo',1790000040.0,NULL,NULL,0,1,'{"entities":[["service","ledger"]],"firing":1,"groups":[],"joined_at":1790000040.0,"muted":false,"names":["QueueGrows"],"onsets":[1790000000.0,1790000000.0],"scope":[],"severity":"critical"}');
CREATE TABLE payops_meta (
	name TEXT NOT NULL, 
	value TEXT, 
	PRIMARY KEY (name)
);
INSERT INTO "payops_meta" VALUES('schema','1');
CREATE TABLE payops_note (
	incident TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	written_at FLOAT NOT NULL, 
	status TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	title TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (incident, revision), 
	CONSTRAINT payops_note_key UNIQUE (incident, "key")
);
INSERT INTO "payops_note" VALUES('inc-oldone',1,'1.facts',1790000035.0,'open','critical','ApprovalRateLow','{"cause":[],"changes":[],"charts":[],"evidence":[{"id":"A1","kind":"alert","link":"","query":"ApprovalRateLow","text":"ApprovalRateLow firing since 2026-09-21T14:13:20Z","window":["2026-09-21T14:03:20Z","2026-09-21T14:14:20Z"]}],"gaps":[{"reason":"no model is configured","source":"assistant"}],"health":"unknown","hypotheses":[],"impact":null,"incident_id":"inc-oldone","model":null,"next_steps":[],"not_known":["what changed, where and why: nothing beyond the alerts was looked at"],"onset":null,"record":null,"record_missing":"","redactions":{},"revision":1,"runbook_none":"","runbooks":[],"severity":"critical","since":"2026-09-21T14:13:20Z","status":"open","struck":[],"summary":[{"evidence":["A1"],"text":"ApprovalRateLow firing since 2026-09-21T14:13:20Z."}],"timeline":[{"at":"2026-09-21T14:13:20Z","evidence":"A1","text":"ApprovalRateLow fires"}],"title":"ApprovalRateLow","version":1,"warnings":[],"without_model":"no model is configured","written_at":"2026-09-21T14:13:55Z"}');
CREATE TABLE payops_outbox (
	incident TEXT NOT NULL, 
	outlet TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	payload TEXT NOT NULL, 
	state TEXT NOT NULL, 
	claim TEXT NOT NULL, 
	claimed_until FLOAT NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at FLOAT NOT NULL, 
	put_at FLOAT NOT NULL, 
	done_at FLOAT, 
	ref TEXT NOT NULL, 
	error TEXT NOT NULL, 
	PRIMARY KEY (incident, outlet, revision)
);
INSERT INTO "payops_outbox" VALUES('inc-oldone','file',1,'{"revision":1,"title":"ApprovalRateLow"}','waiting','',0.0,0,1790000040.0,1790000040.0,NULL,'','');
CREATE TABLE payops_progress (
	incident TEXT NOT NULL, 
	begun INTEGER NOT NULL, 
	covered INTEGER NOT NULL, 
	busy BOOLEAN NOT NULL, 
	begun_at FLOAT NOT NULL, 
	looks INTEGER NOT NULL, 
	look_at FLOAT, 
	PRIMARY KEY (incident)
);
INSERT INTO "payops_progress" VALUES('inc-oldone',1,2,0,1790000040.0,0,NULL);
INSERT INTO "payops_progress" VALUES('inc-oldtwo',1,1,1,1790000040.0,0,NULL);
CREATE TABLE payops_round (
	incident TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	owner TEXT NOT NULL, 
	shape TEXT NOT NULL, 
	begun_at FLOAT NOT NULL, 
	done_at FLOAT, 
	outcome TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	tries INTEGER NOT NULL, 
	PRIMARY KEY (incident, number)
);
INSERT INTO "payops_round" VALUES('inc-oldone',1,'exe-old','1',1790000040.0,1790000040.0,'note','change',1);
INSERT INTO "payops_round" VALUES('inc-oldtwo',1,'exe-old','1',1790000040.0,NULL,'','change',1);
CREATE TABLE payops_step (
	incident TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	step TEXT NOT NULL, 
	begun INTEGER NOT NULL, 
	ended INTEGER NOT NULL, 
	PRIMARY KEY (incident, number, step)
);
CREATE TABLE payops_switch (
	name TEXT NOT NULL, 
	off BOOLEAN NOT NULL, 
	since FLOAT NOT NULL, 
	record TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE INDEX payops_incident_resolved ON payops_incident (resolved_at);
CREATE INDEX payops_alert_fingerprint ON payops_alert (fingerprint);
CREATE INDEX payops_round_open ON payops_round (done_at);
CREATE INDEX payops_outbox_waiting ON payops_outbox (state, next_at);
COMMIT;
