package simulator

import "testing"

func TestWhatAnOwnerHasAllowedBeforehandIsAGrantLikeOthers(t *testing.T) {
	s, err := Start(Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.AddAccount("ana@example.net", "right")
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.StartOAuth(OAuthOptions{Apps: []OAuthApp{{ClientID: "app", Secret: "s"}}, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	token, ok := p.Allow("ana@example.net", "app", googleMail)
	if !ok || token == "" || p.Grants("ana@example.net") != 1 {
		t.Errorf("Allow = %q, %v, with %d grants, want a refresh token of one grant", token, ok, p.Grants("ana@example.net"))
	}
	for _, unknown := range [][2]string{{"ben@example.net", "app"}, {"ana@example.net", "other"}} {
		if _, ok := p.Allow(unknown[0], unknown[1], googleMail); ok {
			t.Errorf("%v was allowed", unknown)
		}
	}
	p.Revoke("ana@example.net", "app")
	if p.Grants("ana@example.net") != 0 {
		t.Error("it cannot be taken back")
	}
}
