-- +goose Up

-- Facts about this database itself: the vault's sample, the one-time link's state.
create table setting (
	name  text primary key,
	value text not null
);

-- Counters that are handed out in order: 'event' and 'issue'.
create table counter (
	name  text primary key,
	value bigint not null
);
insert into counter (name, value) values ('event', 0), ('issue', 0);

-- Running processes. A node whose heartbeat is old is dead.
create table node (
	id           bigint generated always as identity primary key,
	name         text not null,
	started_at   bigint not null,
	heartbeat_at bigint not null
);

create table app_user (
	id            bigint generated always as identity primary key,
	email         text not null unique, -- lower case
	name          text not null,
	role          text not null,
	password_hash text not null,        -- argon2id, PHC string; '' when none was chosen yet
	created_at    bigint not null,
	disabled_at   bigint
);

create table session (
	id         bigint generated always as identity primary key,
	hash       bytea not null unique,    -- SHA-256 of the cookie's value
	app_user   bigint not null references app_user (id) on delete cascade,
	created_at bigint not null,
	seen_at    bigint not null,
	expires_at bigint not null,
	address    text not null,
	agent      text not null
);
create index session_app_user on session (app_user);

create table token (
	id           bigint generated always as identity primary key,
	name         text not null,
	scope        text not null,
	hash         bytea not null unique,  -- SHA-256 of the token
	created_at   bigint not null,
	last_used_at bigint,
	revoked_at   bigint
);

create table token_mailbox (
	token   bigint not null references token (id) on delete cascade,
	mailbox bigint not null,
	primary key (token, mailbox)
);

-- Links that may be used once: the first administrator's, a new password.
create table one_time_link (
	hash       bytea primary key,        -- SHA-256 of the link's secret
	purpose    text not null,
	app_user   bigint references app_user (id) on delete cascade,
	expires_at bigint not null,
	used_at    bigint
);

create table mailbox (
	id              bigint generated always as identity primary key,
	name            text not null,
	address         text not null,
	settings        text not null,      -- JSON: incoming, outgoing, start, after_import, visibility
	everyone        boolean not null,   -- derived from the visibility
	visibility_key  text not null,      -- mailboxes of one key share issues
	owner           bigint references app_user (id) on delete set null,
	state           text not null,
	state_since     bigint not null,
	fault           text,               -- JSON
	failures        bigint not null default 0, -- tries that failed since one worked
	next_try_at     bigint,
	last_arrival_at bigint,
	proven_at       bigint,
	start_at        bigint,             -- when start now was proven, or the start date
	version         bigint not null default 1, -- raised by whatever a session must learn of
	created_at      bigint not null,
	updated_at      bigint not null,
	deleted_at      bigint
);
create index mailbox_state on mailbox (state) where deleted_at is null;
create index mailbox_address on mailbox (address);

-- Who may see the mail of a mailbox that is not for everyone.
create table mailbox_reader (
	mailbox  bigint not null references mailbox (id) on delete cascade,
	app_user bigint not null references app_user (id) on delete cascade,
	primary key (mailbox, app_user)
);
create index mailbox_reader_user on mailbox_reader (app_user);

-- Which node reads a mailbox. Whoever takes it raises the epoch; a write with an
-- older epoch is refused.
create table lease (
	mailbox bigint primary key references mailbox (id) on delete cascade,
	node    bigint,
	epoch   bigint not null
);

create table credential (
	mailbox    bigint primary key references mailbox (id) on delete cascade,
	kind       text not null,
	sealed     bytea not null,
	worked_at  bigint,                  -- when it last opened the mailbox
	created_at bigint not null
);

create table numbering (
	id           bigint generated always as identity primary key,
	mailbox      bigint not null references mailbox (id) on delete cascade,
	serial       bigint not null,
	protocol     text not null,
	host         text not null,
	username     text not null,
	folder       text not null,
	uid_validity bigint not null,
	floor        bigint not null,
	position     bigint not null,
	begun_at     bigint not null,
	unique (mailbox, folder, serial)
);

-- The exact bytes of a message. sha256 is null while chunks are written ahead;
-- erased bytes leave the row as a fingerprint.
create table raw (
	id         bigint generated always as identity primary key,
	sha256     bytea unique,
	size_bytes bigint not null,
	chunks     bigint not null,
	packed     bigint not null,        -- the compressed size of all chunks
	created_at bigint not null,
	erased_at  bigint
);

-- id = raw * 2^20 + the chunk's number; body is zstd.
create table raw_chunk (
	id   bigint primary key,
	body bytea not null
);

create table mail (
	id              bigint generated always as identity primary key,
	raw             bigint not null references raw (id),
	message_id      text not null,
	message_id_hash bytea,               -- SHA-256; null when there is no Message-ID
	digest          bytea not null,
	subject         text not null,
	from_name       text not null,
	from_address    text not null,
	sent_at         bigint,
	received_at     bigint,
	kind            text not null,
	kind_reason     text not null,
	preview         text not null,
	facts           text not null,      -- JSON: people, references, attachments, notes
	body            bytea not null,      -- the texts, compressed (S2)
	size_bytes      bigint not null,
	created_at      bigint not null
);
create index mail_message_id on mail (message_id_hash) where message_id_hash is not null;
create index mail_digest on mail (digest);
create index mail_raw on mail (raw);

-- The Message-IDs that a mail names, so that a parent finds its children.
create table mail_reference (
	hash bytea not null,
	mail bigint not null references mail (id) on delete cascade,
	primary key (hash, mail)
);
create index mail_reference_mail on mail_reference (mail);

create table issue (
	id                bigint generated always as identity primary key,
	number            bigint not null unique,
	subject           text not null,
	state             text not null,
	requester_name    text not null,
	requester_address text not null,
	assignee          bigint references app_user (id) on delete set null,
	historic          boolean not null,
	preview           text not null,    -- the newest mail's beginning
	entries           bigint not null default 0,
	created_at        bigint not null,
	last_at           bigint not null,
	deleted_at        bigint,
	erased_at         bigint            -- its texts and people are gone, its number stays
);
create index issue_last on issue (last_at desc, id desc) where deleted_at is null;
create index issue_state_last on issue (state, last_at desc, id desc) where deleted_at is null;
create index issue_assignee on issue (assignee, last_at desc, id desc) where assignee is not null and deleted_at is null;
create index issue_deleted on issue (deleted_at) where deleted_at is not null and erased_at is null;

-- Where the mail of an issue came to. state ('open', 'closed', 'deleted') and
-- last_at are copies of the issue's, made by triggers, so that one index lists the
-- issues of a mailbox in their order.
create table issue_mailbox (
	issue   bigint not null references issue (id) on delete cascade,
	mailbox bigint not null references mailbox (id) on delete cascade,
	state   text not null default '',
	last_at bigint not null default 0,
	primary key (issue, mailbox)
);
create index issue_mailbox_last on issue_mailbox (mailbox, state, last_at desc, issue desc);
-- +goose StatementBegin
create function issue_mailbox_begins() returns trigger language plpgsql as $$ begin
	select case when i.deleted_at is null then i.state else 'deleted' end, i.last_at
	into new.state, new.last_at from issue i where i.id = new.issue;
	return new;
end $$;
-- +goose StatementEnd
create trigger issue_mailbox_begins before insert on issue_mailbox for each row execute function issue_mailbox_begins();
-- +goose StatementBegin
create function issue_changes() returns trigger language plpgsql as $$ begin
	update issue_mailbox
	set state = case when new.deleted_at is null then new.state else 'deleted' end, last_at = new.last_at
	where issue = new.id;
	return null;
end $$;
-- +goose StatementEnd
create trigger issue_changes after update of state, last_at, deleted_at on issue for each row
when (old.state <> new.state or old.last_at <> new.last_at or (old.deleted_at is null) <> (new.deleted_at is null))
execute function issue_changes();

create table entry (
	id     bigint generated always as identity primary key,
	issue  bigint not null references issue (id) on delete cascade,
	kind   text not null,
	mail   bigint unique references mail (id),
	author bigint references app_user (id) on delete set null,
	actor  text not null default '',    -- the name shown when there is no author: a token's
	text   text not null,
	at     bigint not null
);
create index entry_issue on entry (issue, at, id);

create table arrival (
	id            bigint generated always as identity primary key,
	mailbox       bigint not null references mailbox (id) on delete cascade,
	numbering     bigint not null references numbering (id) on delete cascade,
	uid           bigint not null,
	uidl          text not null,
	occurrence    bigint not null,
	state         text not null,
	reason        text not null,
	seen_at       bigint not null,
	internal_date bigint,
	size_bytes    bigint not null default 0,
	gmail_id      bigint not null default 0,
	tries         bigint not null default 0, -- of fetching the bytes, or of filing
	next_try_at   bigint,
	raw           bigint references raw (id),
	mail          bigint references mail (id),
	entry         bigint references entry (id) on delete set null,
	due_action    text not null default '',  -- the after-import action that is still due
	settled_at    bigint,
	unique (numbering, uid, uidl, occurrence)
);
create index arrival_wanted on arrival (numbering, uid) where state = 'waiting' and raw is null;
create index arrival_ready on arrival (id) where state = 'waiting' and raw is not null;
create index arrival_state on arrival (mailbox, state, id);
create index arrival_settled on arrival (state, id) where state in ('duplicate', 'ignored', 'before_start', 'vanished', 'quarantined', 'deleted');
create index arrival_raw on arrival (raw, mailbox) where raw is not null;
create index arrival_entry on arrival (entry) where entry is not null;
create index arrival_mail on arrival (mail) where mail is not null;

-- The server's own list held against the arrivals, made by the node that reads
-- the mailbox when somebody asks.
create table comparison (
	mailbox      bigint primary key references mailbox (id) on delete cascade,
	requested_at bigint not null,
	compared_at  bigint,
	result       text,                  -- JSON
	fault        text                   -- JSON
);

create table event (
	position bigint primary key,
	id       text not null,
	type     text not null,
	at       bigint not null,
	mailbox  bigint,
	issue    bigint,
	historic boolean not null
);

alter table raw_chunk alter column body set storage external;

-- The words of entries.
create table entry_text (
	entry bigint primary key references entry (id) on delete cascade,
	words tsvector not null
);
create index entry_text_words on entry_text using gin (words) with (fastupdate = off);

-- The database's own clock, in microseconds since 1970.
-- +goose StatementBegin
create function db_now() returns bigint language sql volatile as $$
	select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;
-- +goose StatementEnd
