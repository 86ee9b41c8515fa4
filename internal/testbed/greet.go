package testbed

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// await waits until a server answers. It returns an error when the server ends
// instead, or takes too long.
func (l *leash) await(answers func() error) error {
	err := fmt.Errorf("it has not been asked")
	limit := time.Now().Add(startLimit)
	for time.Now().Before(limit) && !l.hasEnded() {
		if err = answers(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(l.ended), "output.log"))
	return fmt.Errorf("it does not answer: %w: %s", err, text)
}

// greet says whether each port of a mail server greets, the latter by TLS. A port
// that is merely open does not count: servers open it before they can serve it.
func greet(host string, plain, encrypted []int) error {
	for i, port := range append(plain, encrypted...) {
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second)
		if err != nil {
			return err
		}
		defer connection.Close()
		if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if i >= len(plain) {
			connection = tls.Client(connection, &tls.Config{InsecureSkipVerify: true}) // only whether it answers
		}
		if _, err := bufio.NewReader(connection).ReadString('\n'); err != nil {
			return err
		}
	}
	return nil
}

// awaitSilence waits until nobody listens on the ports any more: a server whose
// processes have been killed may take its time, for five seconds at most.
func awaitSilence(host string, ports ...int) {
	limit := time.Now().Add(5 * time.Second)
	for _, port := range ports {
		for time.Now().Before(limit) {
			connection, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second)
			if err != nil {
				break
			}
			connection.Close()
			time.Sleep(time.Millisecond)
		}
	}
}
