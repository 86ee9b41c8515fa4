package postroom

import "strconv"

// Ids are made by the database and are opaque outside: a program that uses the
// API sees strings and must not read anything into them.
type (
	MailboxID    int64
	NumberingID  int64
	ArrivalID    int64
	RawID        int64
	MailID       int64
	IssueID      int64
	EntryID      int64
	UserID       int64
	SessionID    int64
	TokenID      int64
	NodeID       int64
	OAuthAppID   int64
	GrantID      int64
	SignInID     int64
	SignInLinkID int64
	AlertID      int64
	NoticeID     int64
)

func (id MailboxID) String() string   { return formatID(id) }
func (id NumberingID) String() string { return formatID(id) }
func (id ArrivalID) String() string   { return formatID(id) }
func (id RawID) String() string       { return formatID(id) }
func (id MailID) String() string      { return formatID(id) }
func (id IssueID) String() string     { return formatID(id) }
func (id EntryID) String() string     { return formatID(id) }
func (id UserID) String() string      { return formatID(id) }
func (id SessionID) String() string   { return formatID(id) }
func (id TokenID) String() string     { return formatID(id) }
func (id NodeID) String() string      { return formatID(id) }

func (id OAuthAppID) String() string   { return formatID(id) }
func (id GrantID) String() string      { return formatID(id) }
func (id SignInID) String() string     { return formatID(id) }
func (id SignInLinkID) String() string { return formatID(id) }
func (id AlertID) String() string      { return formatID(id) }
func (id NoticeID) String() string     { return formatID(id) }

func formatID[ID ~int64](id ID) string { return strconv.FormatInt(int64(id), 10) }

// ParseID reads an id as it was given out. What was never given out is
// [NotFound]: to the one who asks, a wrong id and an unknown one are the same.
func ParseID[ID ~int64](text string) (ID, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, &Fault{
			Kind: NotFound, Class: Unknown, FixBy: FixByUser,
			Explanation: "There is nothing here under the id “" + shorten(text, 40) + "”.",
			Remedy:      "Go back to the list and open it from there.",
			Err:         err,
		}
	}
	return ID(n), nil
}

// shorten keeps the first n characters of a text that came from outside.
func shorten(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}
