package mailbox

import (
	"fmt"
	"strings"

	"github.com/postroom/postroom"
)

// maxRetention is the longest time, in days, for which the bytes of a mail are kept
// but for ever: a hundred years.
const maxRetention = 36_500

// completeAfterImport checks what happens to a mail on the server once it is here.
// The folders must be complete.
func completeAfterImport(m *postroom.Mailbox) error {
	if m.AfterImport == "" {
		m.AfterImport = postroom.AfterImportKeep
	}
	switch m.AfterImport {
	case postroom.AfterImportKeep, postroom.AfterImportDelete:
	case postroom.AfterImportMarkRead, postroom.AfterImportMove:
		if m.Incoming.Protocol == postroom.POP3 {
			return invalid("after_import",
				"POP3 can neither mark a mail as read nor move it to a folder: it only knows to give a mail and to delete it.",
				"Choose keep or delete, or read the mailbox by IMAP.")
		}
	default:
		return invalid("after_import",
			quote(string(m.AfterImport))+" is nothing that can be done with mail.",
			"Choose keep, mark_read, move or delete.")
	}
	if m.AfterImport != postroom.AfterImportMove {
		m.MoveTo = ""
		return nil
	}
	return completeMoveTo(m)
}

// completeMoveTo checks the folder that mail is moved to.
func completeMoveTo(m *postroom.Mailbox) error {
	const field = "move_to"
	m.MoveTo = strings.TrimSpace(m.MoveTo)
	switch {
	case m.MoveTo == "":
		return invalid(field,
			"The folder is missing that mail is to be moved to.",
			"Name one, such as Archive; it is made if it is not there. Or leave the mail where it is: choose keep.")
	case len(m.MoveTo) > maxFolderName || hasControls(m.MoveTo):
		return invalid(field, quote(m.MoveTo)+" cannot be the name of a folder.", "Write the name as the mail program shows it.")
	}
	if strings.EqualFold(m.MoveTo, "INBOX") {
		m.MoveTo = "INBOX"
	}
	for _, folder := range m.Incoming.Folders {
		if folderKey(folder) == folderKey(m.MoveTo) {
			return invalid(field,
				"Mail cannot be moved to "+quote(m.MoveTo)+", because Postroom reads that folder: each mail would come again from there.",
				"Choose a folder that is not read, such as Archive.")
		}
	}
	return nil
}

// folderKey is equal for two names that may be one folder on some server: servers
// differ in whether case counts, in the sign between the levels of a name, and in
// whether all names begin with INBOX.
func folderKey(name string) string {
	key := strings.NewReplacer(".", "/", `\`, "/").Replace(strings.ToLower(strings.Trim(name, "/.")))
	return strings.TrimPrefix(key, "inbox/")
}

func completeRetention(m *postroom.Mailbox) error {
	if m.RawRetentionDays >= 0 && m.RawRetentionDays <= maxRetention {
		return nil
	}
	return invalid("raw_retention_days",
		fmt.Sprintf("The original bytes of mail cannot be kept for %d days.", m.RawRetentionDays),
		fmt.Sprintf("Choose a number of days from 1 to %d, or 0 to keep them for ever.", maxRetention))
}
