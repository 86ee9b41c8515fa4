-- +goose Up

-- What this Postroom is at a provider (RFC 6749 section 2).
create table oauth_app (
	id                bigint generated always as identity primary key,
	name              text not null,
	provider          text not null,               -- a preset's id, or 'generic'
	kind              text not null,
	settings          text not null,               -- JSON: client id, tenant, addresses, scopes, parameters
	secret_kind       text not null,               -- '': there is none
	sealed            bytea,
	secret_expires_at bigint,
	is_testing        boolean not null default false,
	checked_at        bigint,
	checks            text,                        -- JSON
	created_at        bigint not null,
	updated_at        bigint not null,
	deleted_at        bigint
);

-- What a provider gave for a mailbox. It opens the mailbox while the mailbox's
-- credential names it; until then it is proposed.
create table oauth_grant (
	id                 bigint generated always as identity primary key,
	mailbox            bigint not null references mailbox (id) on delete cascade,
	app                bigint not null references oauth_app (id),
	way                text not null,
	account            text not null,              -- JSON
	account_key        text not null,              -- issuer and subject, or the address: equal for one account
	scopes             text not null,              -- JSON
	signed_in_by       bigint references app_user (id) on delete set null,
	signed_in_at       bigint not null,
	sealed_refresh     bytea,                     -- null: there is none
	sealed_former      bytea,                     -- the refresh token before, until its successor has worked
	former_at          bigint,
	sealed_access      bytea,
	access_expires_at  bigint,
	refresh_expires_at bigint,
	refresh_moves      boolean,                    -- refreshing puts that off; null: nobody has seen it yet
	refreshed_at       bigint,
	used_at            bigint,
	failures           bigint not null default 0,
	failed_at          bigint,                     -- when fault was
	next_try_at        bigint,
	fault              text,                       -- JSON
	-- How often the provider has answered. Whoever asks says what they knew of, so that
	-- nobody asks for what has been answered meanwhile.
	answers            bigint not null default 0,
	-- One process at a time asks the provider: the lease outlives its request. asked_at
	-- is set before asking and cleared by the answer's commit: found set by the next one,
	-- an answer was lost.
	lease_holder       text not null default '',
	lease_until        bigint,
	asked_at           bigint,
	interrupted        bigint not null default 0,
	lost_at            bigint,                     -- of the answer that was lost; null: none since it worked
	adopted_at         bigint,
	ended_at           bigint,
	revocation         text not null default '',
	revocation_tries   bigint not null default 0,
	revocation_at      bigint                      -- of the next try, or of the last
);
create index oauth_grant_mailbox on oauth_grant (mailbox, id);
create index oauth_grant_app on oauth_grant (app, account_key) where ended_at is null;
create index oauth_grant_lives on oauth_grant (refreshed_at) where ended_at is null and adopted_at is not null;
create index oauth_grant_revoked on oauth_grant (revocation_at) where revocation = 'due';

-- Null with kind 'oauth': nobody has signed in yet.
alter table credential add column oauth_grant bigint references oauth_grant (id) on delete set null;
create index credential_oauth_grant on credential (oauth_grant) where oauth_grant is not null;

-- A link that lets the owner of a mailbox sign in, once.
create table sign_in_link (
	id          bigint generated always as identity primary key,
	hash        bytea not null unique,            -- SHA-256 of the link's secret
	sealed      bytea,                            -- the secret, for reminders; null once it is spent
	mailbox     bigint not null references mailbox (id) on delete cascade,
	app         bigint not null references oauth_app (id),
	asked_by    bigint references app_user (id) on delete set null,
	sent_to     text not null,
	created_at  bigint not null,
	expires_at  bigint not null,
	sent_at     bigint,
	reminded_at bigint,
	opened_at   bigint,
	used_at     bigint,
	revoked_at  bigint
);
create index sign_in_link_mailbox on sign_in_link (mailbox, id);

-- A sign-in on its way.
create table sign_in (
	id           bigint generated always as identity primary key,
	start_hash   bytea not null unique,           -- SHA-256 of the secret in the address that begins it
	state_hash   bytea unique,                    -- SHA-256 of state (RFC 6749 section 10.12); null: nobody was sent off
	browser_hash bytea,                           -- SHA-256 of the cookie of the browser that was
	mailbox      bigint not null references mailbox (id) on delete cascade,
	app          bigint not null references oauth_app (id),
	link         bigint references sign_in_link (id) on delete cascade,
	way          text not null,
	asked_by     bigint references app_user (id) on delete set null,
	redirect_url text not null,
	scopes       text not null,                    -- JSON
	sealed       bytea,                           -- verifier and nonce, or the device code; null once used
	device       text,                             -- JSON: what is shown of a device code
	step         text not null,
	account      text,                             -- JSON: who signed in
	answer       text not null default '',    -- what a person said about another account than expected
	oauth_grant  bigint references oauth_grant (id) on delete set null,
	fault        text,                             -- JSON
	report       text,                             -- JSON: the steps of the test
	was_state    text not null,
	again        boolean not null,
	after        bigint not null,                  -- the newest arrival when it began
	tries        bigint not null default 0,        -- of proving it
	next_try_at  bigint,
	created_at   bigint not null,
	expires_at   bigint not null,
	ended_at     bigint
);
create index sign_in_mailbox on sign_in (mailbox, id);
create index sign_in_open on sign_in (step, next_try_at) where ended_at is null;

-- Whoever looks for what needs a person raises it with every change that it makes, so
-- that of two nodes one does.
insert into counter (name, value) values ('alert', 0);

-- One cause that needs a person.
create table alert (
	id          bigint generated always as identity primary key,
	cause       text not null,
	kind        text not null,
	title       text not null,
	fault       text not null,                     -- JSON
	app         bigint,
	ends_at     bigint,                            -- of what is ahead
	begun_at    bigint not null,
	quiet_since bigint,                            -- since when nobody needs to do anything; null: somebody does
	ended_at    bigint,                            -- when that had lasted
	told_at     bigint,
	told        bigint not null default 0,
	next_at     bigint,                            -- of the next reminder
	gap         bigint not null default 0          -- mails that were brought in once it was mended
);
create unique index alert_open on alert (cause) where ended_at is null;
create index alert_ended on alert (ended_at) where ended_at is not null;

create table alert_mailbox (
	alert    bigint not null references alert (id) on delete cascade,
	mailbox  bigint not null references mailbox (id) on delete cascade,
	begun_at bigint not null,
	ended_at bigint,
	after    bigint not null,                      -- the newest arrival of all then
	primary key (alert, mailbox)
);
create index alert_mailbox_mailbox on alert_mailbox (mailbox);

-- Who has closed the pop-up of an alert.
create table alert_seen (
	alert    bigint not null references alert (id) on delete cascade,
	app_user bigint not null references app_user (id) on delete cascade,
	at       bigint not null,
	primary key (alert, app_user)
);

-- Mail of our own to the people who look after this Postroom.
create table notice (
	id            bigint generated always as identity primary key,
	kind          text not null,
	alert         bigint references alert (id) on delete cascade,
	link          bigint references sign_in_link (id) on delete cascade,
	recipient     text not null,
	subject       text not null,
	text          text not null,                   -- '' where sealed holds it
	sealed        bytea,                          -- a text that opens something, such as a link; null once it has left
	message_id    text not null,                   -- what stands before the @
	state         text not null,
	via           text not null default '',
	tries         bigint not null default 0,
	doubts        bigint not null default 0,       -- tries of which nobody knows whether they went well
	next_try_at   bigint,
	claimed_until bigint,                          -- while it is being sent
	fault         text,                            -- JSON
	created_at    bigint not null,
	sent_at       bigint
);
create index notice_due on notice (next_try_at) where state in ('queued', 'sending');
create index notice_alert on notice (alert, id);
create index notice_settled on notice (id) where state in ('sent', 'refused');
