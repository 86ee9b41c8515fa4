// Command testreport makes the output of go test -json short, and says in its
// last lines what was skipped.
//
//	go test -json ./... | go run ./scripts/testreport [-names] [-strict]
//
// It prints the closing line of every package and all that a failed test printed.
// It ends with 1 when something failed or no test ran, and with -strict when a
// test was skipped; with 2 when its input is not what go test prints.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	names := flag.Bool("names", false, "print the names of the tests that ran")
	strict := flag.Bool("strict", false, "a skipped test is a failure")
	flag.Parse()
	r := &report{out: os.Stdout, names: *names, strict: *strict}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if !r.finish() {
		os.Exit(1)
	}
}
