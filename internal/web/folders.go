package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// A folderList is what a server lists, to choose from.
type folderList struct {
	Folders []folderView
	Fault   *faultView // the server could not be asked
	Fill    string     // where what is ticked is taken over without scripts
}

type folderView struct {
	Name   string
	Use    string // what it is for, in words; empty: nothing special
	Chosen bool
}

// searchFolders is from how many folders on a list can be searched.
const searchFolders = 20

func (l folderList) isLong() bool { return len(l.Folders) > searchFolders }

func listFolders(folders []mailbox.Folder, chosen []string) *folderList {
	l := &folderList{}
	if len(chosen) == 0 {
		chosen = []string{"INBOX"} // which an empty field stands for
	}
	for _, f := range folders {
		l.Folders = append(l.Folders, folderView{Name: f.Name, Use: folderUse(f), Chosen: slices.Contains(chosen, f.Name)})
	}
	return l
}

// folderUse says what a folder is for (RFC 6154).
func folderUse(f mailbox.Folder) string {
	switch f.Use {
	case "all":
		return "everything, once more"
	case "archive":
		return "what was put away"
	case "drafts":
		return "what is still being written"
	case "flagged":
		return "what was marked, once more"
	case "junk":
		return "what was taken for spam"
	case "sent":
		return "what was sent"
	case "trash":
		return "what was deleted"
	}
	if f.Name == "INBOX" {
		return "where new mail arrives"
	}
	return ""
}

// newFolders handles POST /mailboxes/folders: the server that stands in the form is
// asked for its folders.
func (s *Server) newFolders(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.askFolders(w, r, by, 0)
}

// keptFolders handles POST /mailboxes/{id}/folders.
func (s *Server) keptFolders(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.askFolders(w, r, by, id)
}

// askFolders tests the incoming side of a form for the sake of its folders.
func (s *Server) askFolders(w http.ResponseWriter, r *http.Request, by visitor, id postroom.MailboxID) error {
	m, c, err := s.typedFor(r, id)
	if err == nil {
		m.Incoming.Folders = nil // one that is not there should not end the test
		var report mailbox.Report
		if report, err = s.Mailboxes.Test(r.Context(), by.Viewer, m, c, mailbox.TestOptions{Side: mailbox.IncomingSide}); err == nil {
			return s.answerFolders(w, r, by, id, report)
		}
	}
	if _, known := postroom.FaultOf(err); !known {
		return err
	}
	return s.answerForm(w, r, by, idText(id), formSays{}, err)
}

func (s *Server) answerFolders(w http.ResponseWriter, r *http.Request, by visitor, id postroom.MailboxID, report mailbox.Report) error {
	list := listFolders(report.Folders, foldersIn(r.PostForm.Get("incoming.folders")))
	list.Fill = formAt(idText(id), "fill")
	if len(list.Folders) == 0 {
		list.Fault = &faultView{Explanation: "The server lists no folders.", Remedy: "Type the names as your mail program shows them."}
		if f := report.Fault(); f != nil {
			v := viewFault(f)
			list.Fault = &v
		}
	}
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, http.StatusOK, folderChoice(*list))
	}
	return s.answerForm(w, r, by, idText(id), formSays{Known: list}, nil)
}

// foldersIn are the folders in a field that has one on each line.
func foldersIn(text string) (folders []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			folders = append(folders, line)
		}
	}
	return folders
}
