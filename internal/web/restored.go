package web

import (
	"net/http"
	"time"
)

// A Restored is a backup that was put back, and what people have to look at because of
// it.
type Restored struct {
	BackupAt time.Time
	Checks   []Check
}

// A Check is one thing to look at.
type Check struct{ What, How string }

type restoredPage struct {
	frame
	BackupAt moment
	Checks   []Check
	None     bool // there is nothing to look at any more
}

// showRestored handles GET /restored.
func (s *Server) showRestored(w http.ResponseWriter, r *http.Request, by visitor) error {
	p := restoredPage{frame: s.frame(by, "Restored from a backup", ""), None: true}
	p.Notice = nil
	if s.Restored != nil {
		restored, ok, err := s.Restored(r.Context())
		if err != nil {
			return err
		}
		p.BackupAt, p.Checks, p.None = tell(restored.BackupAt, s.now()), restored.Checks, !ok
	}
	return s.render(w, r, http.StatusOK, restoredView(p))
}

// forgetRestored handles POST /restored: an administrator has looked at everything.
func (s *Server) forgetRestored(w http.ResponseWriter, r *http.Request, _ visitor) error {
	if s.ForgetRestored != nil {
		if err := s.ForgetRestored(r.Context()); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/mailboxes", http.StatusSeeOther)
	return nil
}
