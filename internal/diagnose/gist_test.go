package diagnose

import "testing"

func TestRepliesThatDifferInWhomTheyConcernAreCountedAsOne(t *testing.T) {
	for name, test := range map[string]struct {
		replies []string
		want    string
	}{
		"an address and a session": {[]string{
			"NO [XFAIL] jo…@customer.example is odd (session 6a1803df08f44-8ffd82ea9)", "NO [XFAIL] an…@other.example is odd (session 77aa03df08f44-00ffd82e1)",
		}, "NO [XFAIL] … is odd (session …)"},
		"a machine, an address of the network, a time": {[]string{
			"-ERR mx1.example.net: no from 203.0.113.5 at 2026-11-21T12:00:00Z", "-ERR mx77.kunde.example: no from 198.51.100.77 at 2027-01-01T01:02:03Z",
		}, "-ERR …: no from … at …"},
		"codes and short numbers stay": {[]string{"554 5.9.9 Sorry, 12 of 20 (#XYZ05)"}, "554 5.9.9 Sorry, 12 of 20 (#XYZ05)"},
		"Microsoft's numbers stay":     {[]string{"AADSTS99999: odd, trace 11111111-2222-3333-4444-555555555555"}, "AADSTS99999: odd, trace …"},
		"blanks and lines":             {[]string{"NO  odd\r\n thing", "NO odd thing"}, "NO odd thing"},
	} {
		for _, reply := range test.replies {
			if got := Gist(reply); got != test.want {
				t.Errorf("%s: Gist(%q) = %q, want %q", name, reply, got, test.want)
			}
		}
	}
}
