package store

import (
	"context"
	"fmt"
)

// signInSchema is the first schema in which people sign in at providers.
const signInSchema = 4

// What was on its way when the backup was made has come to an end since, one way or the
// other, and the database that the backup was made of may still be at work: no link of it
// works here too, no notice leaves twice, and nothing is given back to a provider, which
// might end the sign-in that came after it.
var endWhatWasSignedIn = []string{
	`delete from sign_in where ended_at is null`,
	`update sign_in_link set revoked_at = db_now(), sealed = null where used_at is null and revoked_at is null`,
	`delete from notice where state in ('queued', 'sending')`,
	`update oauth_grant
	set revocation = 'failed', ended_at = coalesce(ended_at, db_now()), sealed_refresh = null, sealed_former = null, sealed_access = null
	where revocation = 'due' or ended_at is null and adopted_at is null`,
	`update oauth_grant set lease_holder = '', lease_until = null, asked_at = null`,
}

// settleSignIns settles what is about signing in, where the schema of the backup has it.
func settleSignIns(ctx context.Context, l loaded, schema int64) error {
	if schema < signInSchema {
		return nil
	}
	for _, statement := range endWhatWasSignedIn {
		if _, err := l.exec(ctx, statement); err != nil {
			return fmt.Errorf("end what was on its way: %w", err)
		}
	}
	return nil
}
