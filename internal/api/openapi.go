package api

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// configuration is the router's: nothing is served but what routes says, and no
// body gets fields that are not ours.
func configuration() huma.Config {
	c := huma.DefaultConfig("Postroom", "1")
	c.Info.Description = "Connects mailboxes to a business: every mail is entered in a ledger once and becomes an issue once.\n\n" +
		"Every request carries “Authorization: Bearer TOKEN”. Ids are opaque strings, times are RFC 3339, durations are written like “10s”. " +
		"Lists take limit and cursor and answer items and next_cursor. Errors are problem details (RFC 9457)."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.Transformers = []huma.Transformer{translated}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	c.OnAddOperation = append(c.OnAddOperation, describeProblems)
	return c
}

// describeProblems says in the document what errors look like.
func describeProblems(document *huma.OpenAPI, o *huma.Operation) {
	registry := document.Components.Schemas
	schema := registry.Schema(reflect.TypeFor[Problem](), true, "Problem")
	o.Responses["default"] = &huma.Response{
		Description: "A problem (RFC 9457)",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
	delete(registry.Map(), "ErrorModel")
	delete(registry.Map(), "ErrorDetail")
}

// describeNulls says in the document which objects of answers may be null; what is
// made of the types says so of everything else.
func describeNulls(document *huma.OpenAPI) {
	for schema, field := range map[string]string{"Health": "fault", "Ledger": "fault", "Rescan": "fault", "BulkResult": "fault", "ImportResult": "fault", "Step": "fault", "RoundTripStep": "fault", "Entry": "mail",
		"SignIn": "fault", "Grant": "fault", "AskedLink": "fault", "Notice": "fault", "KeptCredential": "grant"} {
		one := document.Components.Schemas.Map()[schema].Properties[field]
		one.OneOf = []*huma.Schema{{Ref: one.Ref}, {Type: "null"}}
		one.Ref = ""
	}
	// What is also asked with is held to the schema, where two forms would say less of what is wrong.
	document.Components.Schemas.Map()["AlertRelay"].Nullable = true
}

// documentHandler serves the OpenAPI document, to anybody.
func documentHandler(document *huma.OpenAPI) http.HandlerFunc {
	text, err := documentText(document)
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil { // a schema that cannot be written is found by the tests
			http.Error(w, "the document cannot be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // whoever asked has gone
	}
}

func documentText(document *huma.OpenAPI) ([]byte, error) {
	text, err := json.MarshalIndent(document, "", "  ")
	return append(text, '\n'), err
}
