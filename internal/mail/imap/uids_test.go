package imap

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postroom/postroom/internal/mail"
)

func TestUIDs(t *testing.T) {
	tests := map[string]struct {
		capabilities string
		from         uint32
		server       string
		want         []uint32
	}{
		"SEARCH": {"", 101, `
			C: UID SEARCH UID 101:*
			S: * SEARCH 103 101 105 102 104
			S: <tag> OK done`, []uint32{101, 102, 103, 104, 105}},
		"n:* names the last message though it is older": {"", 106, `
			C: UID SEARCH UID 106:*
			S: * SEARCH 105
			S: <tag> OK done`, nil},
		"ESEARCH": {"ESEARCH", 101, `
			C: UID SEARCH RETURN (ALL) UID 101:*
			S: * ESEARCH (TAG "<tag>") UID ALL 101:103,105
			S: <tag> OK done`, []uint32{101, 102, 103, 105}},
		"ESEARCH, ranges upside down and more than asked": {"ESEARCH", 101, `
			C: UID SEARCH RETURN (ALL) UID 101:*
			S: * esearch (TAG "x y") UID COUNT 3 all 103:101,99,0 MODSEQ 7
			S: <tag> OK done`, []uint32{101, 102, 103}},
		"ESEARCH with nothing": {"ESEARCH", 106, `
			C: UID SEARCH RETURN (ALL) UID 106:*
			S: * ESEARCH (TAG "<tag>") UID
			S: <tag> OK done`, nil},
		"ESEARCH offered, SEARCH given": {"ESEARCH", 101, `
			C: UID SEARCH RETURN (ALL) UID 101:*
			S: * SEARCH 101 (MODSEQ 99)
			S: <tag> OK done`, []uint32{101}},
		"ESEARCH offered and not known": {"ESEARCH", 101, `
			C: UID SEARCH RETURN (ALL) UID 101:*
			S: <tag> BAD what?
			C: UID SEARCH UID 101:*
			S: * SEARCH 101
			S: * SEARCH 102 102 0 99999999999 x 103
			S: <tag> OK done`, []uint32{101, 102}},
		"an empty answer": {"", 101, `
			C: UID SEARCH UID 101:*
			S: * SEARCH
			S: <tag> OK done`, nil},
		"no answer but OK": {"", 101, `
			C: UID SEARCH UID 101:*
			S: <tag> OK done
			C: UID FETCH 101:* (UID)
			S: * 1 FETCH (UID 101 X (y))
			S: * 5 FETCH (FLAGS () UID 105)
			S: * 6 FETCH (FLAGS ())
			S: <tag> OK done`, []uint32{101, 105}},
		"SEARCH refused": {"", 101, `
			C: UID SEARCH UID 101:*
			S: <tag> NO [SERVERBUG] index is broken
			C: UID FETCH 101:* (UID)
			S: * 1 FETCH (UID 101)
			S: * 102 UIDFETCH (UID 102)
			S: * 103 UIDFETCH ()
			S: <tag> OK done`, []uint32{101, 102, 103}},
		"the whole folder": {"", 0, `
			C: UID SEARCH ALL
			S: * SEARCH 1 2 3 4 5
			S: <tag> OK done`, []uint32{1, 2, 3, 4, 5}},
		"a search that knows less than the folder holds": {"", 1, `
			C: UID SEARCH ALL
			S: * SEARCH 3 4
			S: <tag> OK done
			C: UID FETCH 1:* (UID)
			S: * 1 FETCH (UID 1)
			S: * 3 FETCH (UID 3)
			S: * 5 FETCH (UID 5)
			S: <tag> OK done`, []uint32{1, 3, 4, 5}},
		"pages": {"MESSAGELIMIT=2 ESEARCH", 101, `
			C: UID SEARCH RETURN (ALL) UID 101:*
			S: * ESEARCH (TAG "<tag>") UID ALL 104:105
			S: <tag> OK [MESSAGELIMIT 2 104] partial
			C: UID SEARCH RETURN (ALL) UID 101:103
			S: * ESEARCH (TAG "<tag>") UID ALL 102:103
			S: * NO [MESSAGELIMIT 2 102] partial
			S: <tag> OK [HIGHESTMODSEQ 7] done
			C: UID SEARCH RETURN (ALL) UID 101:101
			S: * ESEARCH (TAG "<tag>") UID ALL 101
			S: <tag> OK done`, []uint32{101, 102, 103, 104, 105}},
		"pages that lead nowhere": {"", 101, `
			C: UID SEARCH UID 101:*
			S: * SEARCH 104
			S: <tag> OK [MESSAGELIMIT 2 104] partial
			C: UID SEARCH UID 101:103
			S: * SEARCH 104
			S: <tag> OK [MESSAGELIMIT 2 104] partial`, []uint32{104}},
		"pages of FETCH": {"", 101, `
			C: UID SEARCH UID 101:*
			S: <tag> BAD no
			C: UID FETCH 101:* (UID)
			S: * 5 FETCH (UID 105)
			S: <tag> OK [MESSAGELIMIT 1 105] partial
			C: UID FETCH 101:104 (UID)
			S: * 1 FETCH (UID 101)
			S: <tag> OK done`, []uint32{101, 105}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, test.capabilities, test.server+noop)
			got, err := c.UIDs(t.Context(), test.from)
			if diff := cmp.Diff(test.want, slices.Clip(got)); err != nil || len(test.want)+len(got) > 0 && diff != "" {
				t.Errorf("UIDs: %v (-want +got):\n%s", err, diff)
			}
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestNoListIsCutShort(t *testing.T) {
	var all []uint32
	var search, esearch strings.Builder
	for uid := uint32(1_000_000); uid < 1_600_000; uid += 2 {
		all = append(all, uid)
		fmt.Fprintf(&search, " %d", uid)
		fmt.Fprintf(&esearch, ",%d", uid)
	}
	for name, test := range map[string]struct{ capabilities, question, answer string }{
		"SEARCH":  {"", "UID SEARCH ALL", "* SEARCH" + search.String()},
		"ESEARCH": {"ESEARCH", "UID SEARCH RETURN (ALL) ALL", `* ESEARCH (TAG "<tag>") UID ALL ` + esearch.String()[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, test.capabilities, "C: "+test.question+"\nS: "+test.answer+"\nS: <tag> OK done\n"+noop)
			got, err := c.UIDs(t.Context(), 1)
			if err != nil || !slices.Equal(got, all) {
				t.Errorf("UIDs = %d of them, %v, want %d", len(got), err, len(all))
			}
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestRangeOfBillionsFillsNoMemory(t *testing.T) {
	c := inbox(t, "ESEARCH", `
	C: UID SEARCH RETURN (ALL) ALL
	S: * ESEARCH (TAG "<tag>") UID ALL 1:4294967295
	hang`)
	if uids, err := c.UIDs(t.Context(), 1); err == nil {
		t.Errorf("UIDs = %d of them", len(uids))
	}
}

func TestRefusedList(t *testing.T) {
	c := inbox(t, "", `
	C: UID SEARCH ALL
	S: <tag> NO [UNAVAILABLE] Temporary System Problem
	C: UID FETCH 1:* (UID)
	S: <tag> NO [UNAVAILABLE] Temporary System Problem
	`+noop)
	_, err := c.UIDs(t.Context(), 1)
	if r, ok := mail.RefusalOf(err); !ok || r.Code != "UNAVAILABLE" || r.Phase != mail.PhaseSearch || !c.Usable() {
		t.Errorf("UIDs: %v", err)
	}
	c.Noop(t.Context())
}

func TestLimitedFetchIsAskedAgain(t *testing.T) {
	c := inbox(t, "MESSAGELIMIT=3 UIDONLY", `
	C: UID FETCH 101:102,104 `+ask+`
	R: "* 3 FETCH (UID 104 BODY[] {1}\r\nd)\r\n"
	S: <tag> OK [MESSAGELIMIT 1 104] partial
	C: UID FETCH 101:102,105 `+ask+`
	R: "* 1 FETCH (UID 101 BODY[] {1}\r\na)\r\n* 2 FETCH (UID 102 BODY[] {1}\r\nb)\r\n* 4 FETCH (UID 105 BODY[] {1}\r\ne)\r\n"
	S: <tag> OK done
	`+noop)
	var got []uint32
	err := c.Bodies(t.Context(), []uint32{105, 101, 104, 102, 101, 0}, func(f Fact, r io.Reader) error {
		got = append(got, f.UID)
		return nil
	})
	if diff := cmp.Diff([]uint32{104, 101, 102, 105}, got); err != nil || diff != "" {
		t.Errorf("Bodies: %v (-want +got):\n%s", err, diff)
	}
	c.Noop(t.Context())
}

func TestFacts(t *testing.T) {
	c := inbox(t, "X-GM-EXT-1", `
	C: UID FETCH 101:104 (UID FLAGS INTERNALDATE RFC822.SIZE X-GM-MSGID BODY.PEEK[HEADER.FIELDS (Received Date)])
	S: * 9 FETCH (UID 109 RFC822.SIZE 9)
	R: "* 1 FETCH (UID 101 X-GM-MSGID 1278455344230334865 FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 44827 BODY[HEADER.FIELDS (Received Date)] {8}\r\nDate: x\n)\r\n"
	S: * 1 FETCH (UID 101 RFC822.SIZE 1)
	S: * 2 FETCH (UID 102 FLAGS (\Deleted))
	S: * 2 FETCH (UID 102 RFC822.SIZE 2 BODY[HEADER.FIELDS ("Received" "Date")] NIL)
	S: * 3 FETCH (UID 103 FLAGS (\Seen))
	S: <tag> OK done
	`+noop)
	var got []string
	err := c.Facts(t.Context(), []uint32{101, 102, 103, 104}, []string{"Received", "Date"}, func(f Fact) error {
		got = append(got, fmt.Sprintf("%d %d %d %v %s %q", f.UID, f.GmailID, f.SizeBytes, f.Flags, date(f.InternalDate), f.Header))
		return nil
	})
	want := []string{
		`101 1278455344230334865 44827 [] 1996-07-17T09:44:25 "Date: x\n"`,
		`102 0 2 [] - ""`,
		`103 0 0 [\Seen] - ""`,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Facts: %v (-want +got):\n%s", err, diff)
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestStore(t *testing.T) {
	c := inbox(t, "", `
	C: UID STORE 101:103,105 +FLAGS.SILENT (\Seen $Filed)
	S: <tag> OK done
	C: UID STORE 101 -FLAGS.SILENT (\Seen)
	S: <tag> NO [READ-ONLY] no
	`+noop)
	if err := c.Store(t.Context(), []uint32{105, 101, 102, 103}, true, `\Seen`, "$Filed"); err != nil {
		t.Errorf("Store: %v", err)
	}
	if err := c.Store(t.Context(), []uint32{101}, false, `\Seen`); err == nil {
		t.Error("a refused Store succeeded")
	}
	c.Noop(t.Context())
}

func TestSetsSayWhatWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uids := normal(rapid.SliceOfN(rapid.Uint32Range(0, 3000), 0, 3000).Draw(t, "uids"))
		limit := rapid.IntRange(0, 50).Draw(t, "limit")
		var said []uint32
		for rest := uids; len(rest) > 0; {
			var set string
			var taken []uint32
			set, taken, rest = nextSet(rest, limit)
			if len(set) > maxSetBytes+25 || limit > 0 && len(taken) > limit {
				t.Fatalf("a set of %d bytes and %d messages", len(set), len(taken))
			}
			var list uidList
			if err := list.feed([]byte(set)); err != nil || list.close() != nil || !bytes.ContainsAny([]byte(set), "123456789") {
				t.Fatalf("set %q: %v", set, err)
			}
			if !slices.Equal(list.uids, taken) {
				t.Fatalf("set %q does not say %v", set, taken)
			}
			said = append(said, list.uids...)
		}
		if !slices.Equal(said, uids) {
			t.Fatalf("sets say %v, want %v", said, uids)
		}
	})
}
