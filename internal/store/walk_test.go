package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What is asked often must not take longer with every mail or mailbox there is.
func TestWhatIsAskedOftenWalksAlongIndexes(t *testing.T) {
	db := openForTest(t, Options{Path: filepath.Join(t.TempDir(), "postroom.db")})
	asked := strings.NewReplacer("$1", "1", "$2", "2", "$3", "1", "$4", "10")
	for name, query := range map[string]string{
		"transcripts": transcriptsAsked, "mail set aside": healthSetAside, "round trip by subject": mailTitled,
		"waiting mail": tripWaiting, "arrivals of a round trip": tripArrivals,
		"mail set aside now": setAsideNow, "mailboxes that need somebody": troubledMailboxes, "mailboxes of open alerts": openMembers,
		"who was told": openTold, "notices due": claimNotices, "what arrived during an alert": alertGap,
	} {
		rows, err := db.query(t.Context(), "explain query plan "+asked.Replace(query))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for rows.Next() {
			var id, parent, unused any
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"arrival", "a USING", "lease", "l", "mail", "m", "entry", "e", "x", "n", "notice"} {
				if strings.HasPrefix(step+" ", fmt.Sprintf("SCAN %s ", table)) {
					t.Errorf("%s: %s", name, step)
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
}
