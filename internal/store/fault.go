package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/postroom/postroom"
)

// faultLimit is how many bytes of one text of a fault are kept. Servers have
// answered with whole web pages.
const faultLimit = 4 << 10

// keptFault is a Fault as the fault columns hold it. The cause is not kept: it
// is for the log.
type keptFault struct {
	Kind         postroom.Kind  `json:"kind"`
	Class        postroom.Class `json:"class"`
	FixBy        postroom.FixBy `json:"fix_by"`
	Explanation  string         `json:"explanation"`
	Remedy       string         `json:"remedy"`
	LinkWords    string         `json:"link_words,omitempty"`
	LinkURL      string         `json:"link_url,omitempty"`
	Others       []string       `json:"others,omitempty"`
	Field        string         `json:"field,omitempty"`
	Reply        string         `json:"reply,omitempty"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty"`
}

// packFault is null for no fault.
func packFault(f *postroom.Fault) sql.NullString {
	if f == nil {
		return sql.NullString{}
	}
	text, err := json.Marshal(keptFault{
		Kind: f.Kind, Class: f.Class, FixBy: f.FixBy,
		Explanation: clip(f.Explanation, faultLimit), Remedy: clip(f.Remedy, faultLimit),
		LinkWords: clip(f.Link.Words, 200), LinkURL: f.Link.URL, Others: f.Others,
		Field: clip(f.Field, 200), Reply: clip(f.Reply, faultLimit), RetryAfterMS: f.RetryAfter.Milliseconds(),
	})
	if err != nil {
		return sql.NullString{} // strings and a number always marshal
	}
	return sql.NullString{String: string(text), Valid: true}
}

// unpackFault is nil for null. What this program cannot read, because a newer
// one wrote it, becomes a fault that says so.
func unpackFault(text sql.NullString) *postroom.Fault {
	if !text.Valid {
		return nil
	}
	var k keptFault
	if err := json.Unmarshal([]byte(text.String), &k); err != nil {
		return &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "There is a note of trouble here that this version of Postroom cannot read.",
			Remedy:      "It is replaced at the next try.",
			Err:         err,
		}
	}
	return &postroom.Fault{
		Kind: k.Kind, Class: k.Class, FixBy: k.FixBy, Explanation: k.Explanation, Remedy: k.Remedy,
		Link: postroom.Link{Words: k.LinkWords, URL: k.LinkURL}, Others: k.Others,
		Field: k.Field, Reply: k.Reply, RetryAfter: time.Duration(k.RetryAfterMS) * time.Millisecond,
	}
}
