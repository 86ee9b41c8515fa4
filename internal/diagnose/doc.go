// Package diagnose turns a refusal into a Fault.
package diagnose
