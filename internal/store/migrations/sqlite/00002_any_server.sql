-- +goose Up

-- A numbering ends when its folder is counted anew or is no longer read in this
-- way. by_content: the server has no lasting names of its own.
alter table numbering add column by_content boolean not null default false;
alter table numbering add column ended_at bigint;
update numbering set ended_at = (
	select min(later.begun_at) from numbering later
	where later.mailbox = numbering.mailbox and later.folder = numbering.folder and later.serial > numbering.serial);

-- What happens to a message on the server once it is here. after_import is what was
-- in force when its bytes came; due_action is what of it is still to be done.
alter table arrival add column after_import text not null default '';
alter table arrival add column after_folder text not null default '';
alter table arrival add column due_tries bigint not null default 0;
alter table arrival add column due_at bigint;                         -- not before
alter table arrival add column due_reason text not null default '';   -- why it was not done, or how
create index arrival_due on arrival (numbering, uid) where due_action <> '' and state <> 'waiting';

-- Names that come without an order (POP3): the size that the list told, and since
-- when the server lists the name no more.
alter table arrival add column listed_bytes bigint not null default 0;
alter table arrival add column gone_at bigint;
create index arrival_shown on arrival (numbering, uidl) where uidl <> '' and gone_at is null;

-- expired_at: the bytes were let go because the mailbox keeps them for so long only.
alter table raw add column expired_at bigint;
alter table mailbox add column raw_retention_days bigint not null default 0; -- 0: for ever

-- A rescan asks the reader of a mailbox to bring in what the ledger does not know.
alter table comparison add column rescan_requested_at bigint;
alter table comparison add column rescanned_at bigint;
alter table comparison add column rescanned bigint;

-- What opens the outgoing server, where that is something else.
create table outgoing_credential (
	mailbox    bigint primary key references mailbox (id) on delete cascade,
	kind       text not null,
	sealed     blob not null,
	worked_at  bigint,
	created_at bigint not null
);
