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
	id        bigint generated always as identity primary key,
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
	digest   bytea  not null,
	reply    text   not null,
	count    bigint not null,
	first_at bigint not null,
	last_at  bigint not null,
	primary key (host, protocol, phase, digest)
);

-- Mails that mailboxes have sent to themselves to prove that mail becomes an issue.
-- One at a time for a mailbox: the next one begins when ended_at is set, or until has
-- passed. came_as is the Message-ID that it arrived with, where a server has given it
-- another; removed_at is null while the mail may still be there.
create table round_trip (
	id         bigint generated always as identity primary key,
	mailbox    bigint  not null references mailbox (id) on delete cascade,
	message_id text    not null,
	subject    text    not null,
	kept       boolean not null,
	begun_at   bigint  not null,
	until      bigint  not null,
	ended_at   bigint,
	came_as    text    not null default '',
	removed_at bigint,
	steps      text    not null         -- JSON: how far it came
);
create unique index round_trip_current on round_trip (mailbox) where ended_at is null;
create index round_trip_mailbox on round_trip (mailbox, id);
