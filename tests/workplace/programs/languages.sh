# SPDX-License-Identifier: GPL-2.0-or-later
# node, Java, Go and Rust: a greeting, threads, garbage, and what their compilers make.
cat > work.js <<'JS'
const { Worker, isMainThread, parentPort } = require('worker_threads');
if (isMainThread) {
    let sum = 0, ended = 0;
    for (let i = 0; i < 4; i++) {
        const worker = new Worker(__filename);
        worker.on('message', n => { sum += n; });
        worker.on('exit', () => { if (++ended == 4) console.log('node', sum, process.memoryUsage().heapUsed < 500e6); });
    }
    let kept = [];
    for (let i = 0; i < 3e6; i++) { kept.push({ i }); if (kept.length > 1e5) kept = []; }
    const fs = require('fs'), path = 'file';
    fs.promises.writeFile(path, 'by promise').then(() => fs.readFile(path, (_, data) => console.log(String(data))));
    require('child_process').exec('echo child', (_, out) => process.stdout.write(out));
} else parentPort.postMessage(10);
JS
node work.js | sort
cat > Work.java <<'JAVA'
import java.util.*;
import java.util.concurrent.*;
public class Work {
    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> sums = new ArrayList<>();
        for (int i = 0; i < 8; ++i) sums.add(pool.submit(() -> {
            long sum = 0; List<byte[]> kept = new ArrayList<>();
            for (int j = 0; j < 200000; ++j) { kept.add(new byte[100]); sum += kept.size() > 0 ? 1 : 0; if (kept.size() > 1000) kept.clear(); }
            return sum;
        }));
        long sum = 0; for (Future<Long> part : sums) sum += part.get();
        pool.shutdown(); System.gc();
        System.out.println("java " + sum + " " + new ProcessBuilder("echo", "child").inheritIO().start().waitFor());
    }
}
JAVA
javac Work.java; java -Xmx128m -XX:+UseG1GC Work; java -Xmx64m -XX:+UseSerialGC Work
cat > work.go <<'GO'
package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
)

func main() {
	var group sync.WaitGroup
	results := make(chan int, 1000)
	for i := 0; i < 1000; i++ {
		group.Add(1)
		go func(n int) { defer group.Done(); kept := make([]byte, 10000); results <- n + int(kept[0]) }(i)
	}
	group.Wait()
	close(results)
	sum := 0
	for n := range results {
		sum += n
	}
	runtime.GC()
	out, _ := exec.Command("echo", "child").Output()
	fmt.Println("go", sum, string(out))
}
GO
export GO111MODULE=off GOCACHE=$HOME/cache GOFLAGS=
go run work.go; CGO_ENABLED=0 go build -o static work.go; ./static; file static | grep -o 'statically linked'
cat > work.rs <<'RUST'
use std::sync::{mpsc, Arc, Mutex};
fn main() {
    let total = Arc::new(Mutex::new(0u64));
    let (send, receive) = mpsc::channel();
    let threads: Vec<_> = (0..8).map(|n| { let (total, send) = (total.clone(), send.clone());
        std::thread::spawn(move || { for i in 0..1000 { *total.lock().unwrap() += i; } send.send(n).unwrap(); }) }).collect();
    for thread in threads { thread.join().unwrap(); }
    drop(send);
    let failed = std::panic::catch_unwind(|| { panic!("caught") }).is_err();
    println!("rust {} {} {}", total.lock().unwrap(), receive.iter().sum::<i32>(), failed);
}
RUST
rustc -O work.rs -o rust && ./rust 2>/dev/null
rustc -C target-feature=+crt-static -o rust work.rs && ./rust 2>/dev/null
echo 'int puts(const char*); int main(void) { return puts("musl") < 0; }' > m.c
musl-gcc -static m.c -o musl && ./musl
