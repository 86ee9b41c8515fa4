// Package work paces queued work: when to look for it, when to try it again, how
// much of it to begin at once.
package work
