-- +goose Up

-- Somebody wants to see the dialogue with the server of a mailbox, until an instant.
create table transcript (
	mailbox  bigint primary key references mailbox (id) on delete cascade,
	asked_by bigint references app_user (id) on delete set null,
	asked_at bigint not null,
	until    bigint not null
);

-- The lines of it, secrets blanked, without the bodies of messages. session tells
-- connections apart; direction is C for what we said, S for what the server said, and
-- N for a note.
create table transcript_line (
	id        integer primary key autoincrement,
	mailbox   bigint not null references mailbox (id) on delete cascade,
	at        bigint not null,
	session   text   not null,
	direction text   not null,
	line      text   not null
);
create index transcript_line_mailbox on transcript_line (mailbox, id);

-- Answers of servers that the catalogue does not know, for its makers: cleaned, each
-- once for a server and a step, with how often it came.
create table unknown_reply (
	host     text   not null,
	protocol text   not null,
	phase    text   not null,
	digest   blob  not null,
	reply    text   not null,
	count    bigint not null,
	first_at bigint not null,
	last_at  bigint not null,
	primary key (host, protocol, phase, digest)
);
