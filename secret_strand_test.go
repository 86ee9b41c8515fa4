package postroom_test

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// aToken is as long as Microsoft's.
func aToken(n byte) string {
	random := make([]byte, 1800)
	_, _ = rand.NewChaCha8([32]byte{n}).Read(random)
	return "EwB4+/" + base64.StdEncoding.EncodeToString(random)
}

func TestEveryPieceOfATokenIsBlanked(t *testing.T) {
	t.Parallel()
	for n := range byte(5) {
		token := aToken(n)
		response := "user=support@example.net\x01auth=Bearer " + token + "\x01\x01"
		coded := base64.StdEncoding.EncodeToString([]byte(response))
		blank := postroom.Hide(token).Blanker("[hidden]", response)
		for name, form := range map[string]string{
			"as it is": token, "as it was sent": coded, "in a query": url.QueryEscape(token), "in hexadecimal": hex.EncodeToString([]byte(token)),
			"in a line that is coded": base64.RawURLEncoding.EncodeToString([]byte("AUTH " + coded[:7] + response)), "in capitals": strings.ToUpper(coded),
		} {
			for _, size := range []int{len(form), 500, 76, 40} { // of each line
				var told strings.Builder
				kept := 0
				for at := 0; at < len(form); at += size {
					line := blank("535 no " + form[at:min(at+size, len(form))] + " is wrong")
					if !strings.HasPrefix(line, "5") || !strings.HasSuffix(line, "wrong") { // a letter beside it may go too
						t.Errorf("%s, in lines of %d: %q", name, size, line)
					}
					told.WriteString(line + "\n")
					kept += max(0, len(strings.ReplaceAll(line, "[hidden]", ""))-len("535 no  is wrong"))
				}
				// The end of the form stays where it is short, and what stands beside the token
				// in its wrapping.
				if kept > 100 {
					t.Errorf("%s, in lines of %d, %d characters stay:\n%s", name, size, kept, told.String())
				}
			}
		}
		if text := "NO [AUTHENTICATIONFAILED] Authentication failed, username and password not accepted: https://aka.ms/BadCredentials"; blank(text) != text {
			t.Errorf("of words that tell nothing, %q is left", blank(text))
		}
	}
}

func TestATokenIsSearchedForInNoTime(t *testing.T) {
	t.Parallel()
	token := aToken(1)
	began := time.Now()
	for range 20 {
		_ = postroom.Hide(token).Blank("BYE Session invalidated - AccessTokenExpired", "[hidden]")
	}
	if took := time.Since(began) / 20; took > 20*time.Millisecond {
		t.Errorf("one line took %v", took)
	}
}
