package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A keptCheck is one entry of the checks column of a registration.
type keptCheck struct {
	Point     string `json:"point"`
	Verdict   string `json:"verdict"`
	Words     string `json:"words"`
	Remedy    string `json:"remedy,omitempty"`
	LinkWords string `json:"link_words,omitempty"`
	LinkURL   string `json:"link_url,omitempty"`
}

func packChecks(checks []postroom.AppCheck) (sql.NullString, error) {
	kept := make([]keptCheck, 0, len(checks))
	for _, c := range checks {
		kept = append(kept, keptCheck{
			Point: c.Point, Verdict: string(c.Verdict), Words: clean(c.Words), Remedy: clean(c.Remedy),
			LinkWords: c.Link.Words, LinkURL: clean(c.Link.URL),
		})
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return sql.NullString{}, fmt.Errorf("pack the check of a registration: %w", err)
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

func unpackChecks(text sql.NullString) ([]postroom.AppCheck, error) {
	if !text.Valid {
		return nil, nil
	}
	var kept []keptCheck
	if err := json.Unmarshal([]byte(text.String), &kept); err != nil {
		return nil, fmt.Errorf("unpack the check of a registration: %w", err)
	}
	checks := make([]postroom.AppCheck, 0, len(kept))
	for _, k := range kept {
		checks = append(checks, postroom.AppCheck{
			Point: k.Point, Verdict: postroom.Verdict(k.Verdict), Words: k.Words, Remedy: k.Remedy,
			Link: postroom.Link{Words: k.LinkWords, URL: k.LinkURL},
		})
	}
	return checks, nil
}

// What was checked is the registration as it was then: one that was changed meanwhile
// has not been.
const recordAppCheck = `
	update oauth_app set checked_at = $3, checks = $4 where id = $1 and updated_at = $2 and deleted_at is null`

// RecordAppCheck keeps what the check of a registration found out, if it is still as it
// was when it was read.
func (db *DB) RecordAppCheck(ctx context.Context, a postroom.OAuthApp, at time.Time, checks []postroom.AppCheck) error {
	text, err := packChecks(checks)
	if err != nil {
		return err
	}
	return db.commit(ctx, func(t *tx) error {
		if err := t.exec(recordAppCheck, int64(a.ID), micros(a.UpdatedAt), micros(at), text); err != nil {
			return fmt.Errorf("record the check of registration %s: %w", a.ID, err)
		}
		return nil
	})
}

const markAppTesting = `update oauth_app set is_testing = true where id = $1 and is_testing = false and deleted_at is null`

// MarkAppTesting notes that a registration is in testing, as its grants have shown.
func (db *DB) MarkAppTesting(ctx context.Context, id postroom.OAuthAppID) error {
	return db.commit(ctx, func(t *tx) error {
		if err := t.exec(markAppTesting, int64(id)); err != nil {
			return fmt.Errorf("mark registration %s as in testing: %w", id, err)
		}
		return nil
	})
}
