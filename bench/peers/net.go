// Go's standard library: one goroutine for each connection.
//
// Build: go build -o net net.go. Run: ./net PORT.
package main

import (
	"encoding/binary"
	"log"
	"net"
	"os"
)

const bufferBytes = 64 * 1024

var table [256]byte

func init() {
	for i := range table {
		table[i] = byte(i)
		if 'a' <= i && i <= 'z' {
			table[i] -= 'a' - 'A'
		}
	}
}

// upper works on eight bytes at a time: the compiler does not vectorise.
func upper(b []byte) {
	const ones = 0x0101010101010101
	for ; len(b) >= 8; b = b[8:] {
		word := binary.LittleEndian.Uint64(b)
		low := word & (ones * 0x7f)
		fromA := low + ones*(0x80-'a')
		pastZ := low + ones*(0x80-'z'-1)
		word ^= ^word & (fromA ^ pastZ) & (ones * 0x80) >> 2
		binary.LittleEndian.PutUint64(b, word)
	}
	for i, c := range b {
		b[i] = table[c]
	}
}

func answer(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, bufferBytes)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			upper(buffer[:n])
			if _, err := conn.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TCP_NODELAY is the default, and so are the largest backlog and descriptor limit allowed.
func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go answer(conn)
	}
}
