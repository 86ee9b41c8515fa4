package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// What a test has measured of one server; zero: it did not get that far.
type measured struct {
	connected, encrypted, signedIn time.Duration
	notReached, notSignedIn        bool // that was where it ended

	loginDelay time.Duration // how often at most the server lets one sign in
	missing    []string      // folders that are not there
}

// sensible is the least time-out that people choose and that is not below d.
func sensible(d time.Duration) time.Duration {
	for _, seconds := range [...]time.Duration{5, 8, 12, 15, 20, 30, 45, 60, 90, 120} {
		if seconds*time.Second >= d {
			return seconds * time.Second
		}
	}
	return maxTimeout
}

// advice is what would do the mailbox good, by what one side has measured. The
// time-outs are those of both sides.
func (r *test) advice() []Advice {
	in, m := r.m.Incoming, r.measured
	all := []Advice{
		adviseTimeout("incoming.connect_timeout", "To reach and encrypt "+in.Host, in.ConnectTimeout, m.connected+m.encrypted, m.notReached && r.timedOut()),
		adviseTimeout("incoming.auth_timeout", "To sign in at "+in.Host, in.AuthTimeout, m.signedIn, m.notSignedIn && r.timedOut()),
		r.advisePoll(),
		r.adviseFolders(),
	}
	return slices.DeleteFunc(all, func(a Advice) bool { return a.Field == "" })
}

// together is what both sides advise: of two values for one time-out the longer.
func together(all []Advice) []Advice {
	var kept []Advice
	for _, a := range all {
		i := slices.IndexFunc(kept, func(k Advice) bool { return k.Field == a.Field })
		if i < 0 {
			kept = append(kept, a)
			continue
		}
		before, _ := time.ParseDuration(kept[i].Value)
		if now, err := time.ParseDuration(a.Value); err == nil && now > before {
			kept[i] = a
		}
	}
	return kept
}

// timedOut says whether the last step took too long.
func (r *test) timedOut() bool {
	if len(r.steps) == 0 {
		return false
	}
	f := r.steps[len(r.steps)-1].Fault
	return f != nil && f.Class == postroom.Timeout
}

// adviseTimeout advises twice the time that something took, where that comes close
// to the limit; three times the limit where it was not enough.
func adviseTimeout(field, what string, limit, took time.Duration, wasTooLittle bool) Advice {
	if limit >= maxTimeout {
		return Advice{}
	}
	if wasTooLittle {
		value := sensible(3 * limit)
		return Advice{field, asSetting(value), fmt.Sprintf("%s, %s was not enough. If the server is only slow, wait %s.", what, inWords(limit), inWords(value))}
	}
	value := sensible(2 * took)
	if took*10 < limit*6 || value <= limit {
		return Advice{}
	}
	return Advice{field, asSetting(value), fmt.Sprintf("%s took %.1f of %s. On a bad day that is too little: wait %s.", what, took.Seconds(), inWords(limit), inWords(value))}
}

// advisePoll advises to look no more often than the server lets anybody sign in
// (LOGIN-DELAY, RFC 2449 section 6.5).
func (r *test) advisePoll() Advice {
	delay := min(roundUp(r.measured.loginDelay, time.Second), maxPollInterval)
	if delay <= r.m.Incoming.PollInterval {
		return Advice{}
	}
	return Advice{"incoming.poll_interval", asSetting(delay), "The server lets nobody sign in more often than " + every(delay) + "; Postroom keeps to that in any case."}
}

// adviseFolders advises, in place of folders that are not there, those that were
// most likely meant. The value is all folders, one on each line.
func (r *test) adviseFolders() Advice {
	var meant []string
	wanted := slices.Clone(r.m.Incoming.Folders)
	for _, missing := range r.measured.missing {
		name, ok := nearest(missing, r.folders)
		i := slices.Index(wanted, missing)
		if !ok || i < 0 {
			continue
		}
		meant = append(meant, "“"+missing+"” is not there; “"+name+"” is.")
		if wanted[i] = name; slices.Contains(wanted[:i], name) || slices.Contains(wanted[i+1:], name) {
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	if len(meant) == 0 {
		return Advice{}
	}
	return Advice{"incoming.folders", strings.Join(wanted, "\n"), strings.Join(meant, " ")}
}

// asSetting writes a duration as the settings take it: "12s", "10m".
func asSetting(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// nearest is the folder whose name is most like one that is not there; ok is false
// where none is much like it.
func nearest(missing string, folders []Folder) (name string, ok bool) {
	best := max(len([]rune(missing))/3, 1) + 1
	for _, f := range folders {
		distance := min(apart(folderKey(missing), folderKey(f.Name)), apart(folderKey(missing), lastLevel(f.Name)))
		if distance < best {
			name, best = f.Name, distance
		}
	}
	return name, name != ""
}

// lastLevel is the key of the last level of a name: people call INBOX/Orders Orders.
func lastLevel(name string) string {
	key := folderKey(name)
	return key[strings.LastIndexByte(key, '/')+1:]
}

// apart is in how many letters two names differ (Levenshtein); 99 for long ones.
func apart(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 99
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(y)]
}
