package credential

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

// wrong is the Fault for a part of a registration that cannot be used.
func wrong(field, explanation, remedy string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: explanation, Remedy: remedy, Field: field,
	}
}

// fieldNames are what people call the parts of a registration.
func fieldName(field string) string {
	switch field {
	case "client_id":
		return "client id"
	case "client_secret":
		return "client secret"
	case "authorize_url":
		return "address for signing in"
	case "token_url":
		return "address for tokens"
	case "device_url":
		return "address for other devices"
	case "revoke_url":
		return "address for giving back"
	case "userinfo_url":
		return "address for account details"
	case "redirect_url":
		return "redirect address"
	case "extra_params":
		return "list of further parameters"
	case "secret_expires_at":
		return "day on which the secret ends"
	}
	return field
}

// wrongApp says in words what package oauth cannot use.
func wrongApp(err error) error {
	var bad *oauth.AppError
	if !errors.As(err, &bad) {
		return err
	}
	remedy := "Copy it from the provider's documentation, in full."
	switch {
	case bad.Field == "redirect_url":
		remedy = "Leave it empty: then it is the address of this Postroom."
	case bad.Field == "extra_params":
		remedy = "Leave that parameter out: Postroom sets it itself."
	case bad.Field == "tenant":
		remedy = "Enter the directory (tenant) id, or a domain of the organisation, as contoso.onmicrosoft.com."
	case strings.Contains(bad.Reason, "https://"):
		remedy = "Enter an address that begins with https://. Without encryption others could read the secrets; http:// is for this very computer only (localhost)."
	}
	f := wrong(bad.Field, fmt.Sprintf("The %s %s.", fieldName(bad.Field), bad.Reason), remedy)
	f.Err = err
	return f
}
