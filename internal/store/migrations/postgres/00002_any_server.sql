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
alter table arrival add column due_copied boolean not null default false; -- the copy of a move is made, the original is still there
create index arrival_due on arrival (numbering, uid, id) where due_action <> '' and state <> 'waiting';

-- Names that come without an order (POP3): the size that the list told, and since
-- when the server lists the name no more.
alter table arrival add column listed_bytes bigint not null default 0;
alter table arrival add column gone_at bigint;
create index arrival_shown on arrival (numbering, uidl, occurrence) where uidl <> '' and gone_at is null;

-- Names without an order are all number 0; they are brought in the order in which
-- they were listed.
drop index arrival_wanted;
create index arrival_wanted on arrival (numbering, uid, id) where state = 'waiting' and raw is null;

-- For how many days a mailbox keeps the exact bytes of its mail; 0: for ever. An
-- arrival that has kept_at keeps its bytes since then.
alter table mailbox add column raw_retention_days bigint not null default 0;
create index mailbox_retention on mailbox (id) where raw_retention_days > 0;
alter table arrival add column kept_at bigint;
update arrival set kept_at = seen_at where raw is not null;
create index arrival_kept on arrival (mailbox, kept_at)
	where kept_at is not null and state in ('filed', 'duplicate', 'deleted', 'ignored');

-- expired_at: the bytes were let go, because no arrival keeps them for longer than
-- expired_days.
alter table raw add column expired_at bigint;
alter table raw add column expired_days bigint not null default 0;

-- What must not happen is found without looking at everything: bytes that somebody
-- has removed or changed (whoever lets go of bytes sets chunks to 0 first), and filed
-- mail of which a part is missing.
alter table raw add column damaged boolean not null default false;
create index raw_damaged on raw (id) where damaged;
-- +goose StatementBegin
create function raw_chunk_changes() returns trigger language plpgsql as $$ begin
	update raw set damaged = true where id = old.id / 1048576 and chunks > 0;
	return null;
end $$;
-- +goose StatementEnd
create trigger raw_chunk_changes after update or delete on raw_chunk for each row execute function raw_chunk_changes();
create index arrival_incomplete on arrival (mailbox, id) where state = 'filed' and (raw is null or mail is null or entry is null);

-- A rescan asks the reader of a mailbox to bring in what the ledger does not know.
alter table comparison add column rescan_requested_at bigint;
alter table comparison add column rescanned_at bigint;
alter table comparison add column rescanned bigint;

-- The bytes of a large mailbox are looked at in turns; the last went up to this arrival.
alter table comparison add column checked_to bigint not null default 0;

-- What opens the outgoing server, where that is something else.
create table outgoing_credential (
	mailbox    bigint primary key references mailbox (id) on delete cascade,
	kind       text not null,
	sealed     bytea not null,
	worked_at  bigint,
	created_at bigint not null
);
