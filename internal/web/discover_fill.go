package web

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// findServers looks for the servers of an address where a form that is to be used has
// none for reading. Servers that are only guessed are shown first: no password goes
// to them before somebody has seen their names. Answered says that it was.
func (s *Server) findServers(w http.ResponseWriter, r *http.Request, by visitor, id string) (answered bool, err error) {
	if err := r.ParseForm(); err != nil {
		return false, err
	}
	values := r.PostForm
	address := strings.TrimSpace(values.Get("address"))
	if strings.TrimSpace(values.Get("incoming.host")) != "" || !strings.Contains(address, "@") {
		return false, nil
	}
	found, err := s.Mailboxes.Discover(r.Context(), by.Viewer, address)
	if _, known := postroom.FaultOf(err); known {
		return false, nil // the form says beside the server that it is missing
	}
	chosen := chooseFound(found, values)
	if err != nil || chosen.Incoming == nil {
		return false, err
	}
	view := describeFound(found, chosen, values, id)
	if isUntouched(values) {
		chosen.fill(values)
		if !chosen.needLook() {
			return false, nil
		}
		view.Rows, view.Filled, view.Same = nil, true, true
	}
	view.Look, view.Tone = true, "wait"
	return true, s.answerForm(w, r, by, id, formSays{Found: &view}, nil)
}

// fillNew handles POST /mailboxes/fill: fields of a form get the values that were
// found or advised. Nothing is kept by it.
func (s *Server) fillNew(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.fillForm(w, r, by, "")
}

// fillKept handles POST /mailboxes/{id}/fill.
func (s *Server) fillKept(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.fillForm(w, r, by, id.String())
}

func (s *Server) fillForm(w http.ResponseWriter, r *http.Request, by visitor, id string) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	values, says := r.PostForm, formSays{Filled: true}
	switch {
	case values.Get("fill") == "found":
		takeFound(values)
		says.Found = &discoveryView{Taken: true}
	case values.Get("fill") == "folders":
		values.Set("incoming.folders", strings.Join(values["pick"], "\n"))
	default:
		bringAlong(values, values["set"])
	}
	return s.answerForm(w, r, by, id, says, nil)
}

// takeFound takes over what was ticked of what was found.
func takeFound(values url.Values) {
	all := true
	for _, f := range serverFields() {
		found := "found." + f.Field
		switch {
		case slices.Contains(values["take"], f.Field):
			values.Set(f.Field, values.Get(found))
		case values.Has(found):
			all = false
		}
	}
	values.Del(filledField)
	if all {
		values.Set(filledField, serverText(values))
	}
}

// bringAlong gives fields values that a page has advised, each as "field=value". Only
// those may be set so that a test can advise.
func bringAlong(values url.Values, sets []string) (any bool) {
	for _, set := range sets {
		field, value, _ := strings.Cut(set, "=")
		switch field {
		case "incoming.pinned_sha256", "outgoing.pinned_sha256":
			if sum, err := hex.DecodeString(value); err != nil || len(sum) != 32 {
				continue
			}
		case "address":
		case "incoming.connect_timeout", "incoming.auth_timeout", "incoming.poll_interval":
			if d, err := time.ParseDuration(value); err == nil {
				value = seconds(d)
			}
			if strings.ContainsFunc(value, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }) {
				continue
			}
		default:
			continue
		}
		values.Set(field, value)
		any = true
	}
	return any
}
