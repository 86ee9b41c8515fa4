// Package vault seals secrets for the database with keys that live outside it.
package vault
