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
	asked := strings.NewReplacer("$1", "1", "$2", "2", "$3", "1", "$4", "10", "$5", "5", "$6", "6", "$7", "7", "$8", "8", "$9", "9")
	for name, query := range map[string]string{
		"transcripts": transcriptsAsked, "mail set aside": healthSetAside, "round trip by subject": mailTitled,
		"waiting mail": tripWaiting, "arrivals of a round trip": tripArrivals,
		"mail set aside now": setAsideNow, "mailboxes that need somebody": troubledMailboxes, "mailboxes of open alerts": openMembers,
		"who was told": openTold, "notices due": claimNotices, "what arrived during an alert": alertGap,
		"grant": grantByID, "grants of a mailbox": grantsOfMailbox, "lease": leaseGrant, "revocations due": revocationsDue, "shared meanwhile": grantSharedMeanwhile,
		"end of a grant": endGrant, "use of a grant": grantUsed, "too late to adopt": adoptedTooLate, "registration": bareOAuthApp,
		"sign-in by its start": signInByStart, "sign-in by its state": signInByState, "sign-ins due": dueSignIns, "next sign-in": nextSignIn,
		"sign-ins on their way": openSignIns, "sign-ins of a mailbox": signInsOf, "late sign-ins": lateSignIns, "what came meanwhile": arrivedAfter, "link": signInLinkByHash,
		"sign-ins by a link": endItsSignIns, "links of a removed mailbox": closeLinks, "mailboxes of alerts": alertMailboxes,
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
			if strings.Contains(step, "INDEX alert_open") { // of those that stand, which are few
				continue
			}
			for _, table := range []string{"arrival", "a USING", "lease", "l", "mail", "m", "entry", "e", "x", "n", "notice", "g", "oauth_grant", "c", "credential", "sign_in", "sign_in_link", "oauth_app"} {
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
