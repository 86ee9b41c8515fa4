package oauth

import (
	"maps"
	"slices"
)

// Verify says which part of a registration cannot be used, before anybody is asked: an
// address that is none or is not safe, a tenant that is missing, a parameter that is not
// for others to set. What is empty is not missed. The error is an *AppError.
func (a App) Verify() error {
	for _, one := range []struct{ field, text string }{
		{"issuer", a.Issuer}, {"authorize_url", a.AuthorizeURL}, {"token_url", a.TokenURL}, {"device_url", a.DeviceURL},
		{"revoke_url", a.RevokeURL}, {"userinfo_url", a.UserInfoURL},
		{"consent_url", a.ConsentURL}, {"redirect_url", a.RedirectURL},
	} {
		if one.text == "" {
			continue
		}
		if _, err := a.address(one.field, one.text); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.ExtraParams)) {
		if slices.Contains(ours, name) {
			return &AppError{"extra_params", "sets " + name + ", which is not for others to set"}
		}
	}
	return nil
}
