// Package provider knows the mail providers, and finds the settings of an address.
//
// A [Preset] is what is known beforehand: servers, ways to sign in, app passwords,
// and what has been announced. What is [Found] for an address comes from there, or
// from what its domain publishes, or is guessed. No password is sent anywhere.
package provider
