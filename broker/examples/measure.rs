//! Round trips and throughput of a broker in this process over real sockets, with plain blocking clients:
//! `cargo run --release -p broker --example measure`, and with a folder behind it, `-- /tmp/kept`, for a broker that
//! keeps a file there. With a file of users as well, in which there is `measure` with that password, everyone logs in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use broker::{Access, Broker, Settings};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let given = |at| std::env::args_os().nth(at).filter(|path| !path.is_empty()).map(Into::into);
    let access = Access { users: given(2), ..Access::default() };
    let bind = "127.0.0.1:0".to_owned();
    let settings = Settings { bind, data_dir: given(1), access, ..Settings::default() };
    let broker = runtime.block_on(Broker::bind(settings.clone()))?;
    let addr = broker.local_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = runtime.spawn(broker.run(async { drop(stopped.await) }));
    for (name, filter, qos) in [
        ("exact, QoS 0", "m/1", 0),
        ("wildcard, QoS 0", "m/+", 0),
        ("exact, QoS 1", "m/1", 1),
        ("wildcard, QoS 1", "m/+", 1),
    ] {
        round_trips(addr, name, filter, qos)?;
        throughput(addr, name, filter, qos)?;
    }
    retained(addr, "one topic", 500_000, |_| 1)?;
    retained(addr, "100,000 topics", 100_000, |n| n)?;
    drop(stop);
    runtime.block_on(running)??;
    let begin = Instant::now();
    runtime.block_on(Broker::bind(settings))?;
    println!("start       {:?} with what was kept", begin.elapsed());
    Ok(())
}

/// Retained QoS 1 publishes, until all are acknowledged.
fn retained(addr: SocketAddr, name: &str, count: u32, topic: fn(u32) -> u32) -> Outcome<()> {
    let mut writer = client(addr, "retainer")?;
    let mut acks = writer.try_clone()?;
    let begin = Instant::now();
    let writing = std::thread::spawn(move || -> Outcome<()> {
        let mut chunk = Vec::new();
        for n in 0..count {
            let pid = (n % 60_000) as u16 + 1;
            let topic = format!("r/{:07}", topic(n));
            let mut packet = vec![0x33, 13 + 64, 0, 9];
            packet.extend(topic.as_bytes());
            packet.extend(pid.to_be_bytes());
            packet.extend([b'x'; 64]);
            chunk.extend(packet);
            if chunk.len() > 16_000 {
                writer.write_all(&chunk)?;
                chunk.clear();
            }
        }
        Ok(writer.write_all(&chunk)?)
    });
    let mut left = count as usize * 4;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        left -= acks.read(&mut buffer)?;
    }
    println!("retained    {name:16} {:.0}/s", f64::from(count) / begin.elapsed().as_secs_f64());
    writing.join().map_err(|_| "the writer panicked")?
}

fn round_trips(addr: SocketAddr, name: &str, filter: &str, qos: u8) -> Outcome<()> {
    let mut reader = client(addr, "reader")?;
    subscribe(&mut reader, filter, qos)?;
    let mut writer = client(addr, "writer")?;
    let mut times = Vec::new();
    for pid in 1..=20_000u16 {
        let begin = Instant::now();
        writer.write_all(&publish(qos, pid))?;
        let packet = packet(&mut reader)?;
        times.push(begin.elapsed());
        if qos > 0 {
            let acked = [packet[packet.len() - 18], packet[packet.len() - 17]];
            reader.write_all(&[0x40, 2, acked[0], acked[1]])?;
            self::packet(&mut writer)?;
        }
    }
    times.sort();
    let at = |part: usize| times[times.len() * part / 100];
    println!("round trip  {name:16} p50 {:?} p99 {:?}", at(50), at(99));
    Ok(())
}

fn throughput(addr: SocketAddr, name: &str, filter: &str, qos: u8) -> Outcome<()> {
    const COUNT: usize = 500_000;
    let mut reader = client(addr, "reader")?;
    subscribe(&mut reader, filter, qos)?;
    let mut writer = client(addr, "writer")?;
    let mut acks = writer.try_clone()?;
    let draining = std::thread::spawn(move || -> Outcome<()> {
        for _ in 0..if qos > 0 { COUNT } else { 0 } {
            packet(&mut acks)?;
        }
        Ok(())
    });
    let begin = Instant::now();
    let writing = std::thread::spawn(move || -> Outcome<()> {
        let mut chunk = Vec::new();
        for n in 0..COUNT {
            chunk.extend(publish(qos, (n % 60_000) as u16 + 1));
            if chunk.len() > 16_000 {
                writer.write_all(&chunk)?;
                chunk.clear();
            }
        }
        Ok(writer.write_all(&chunk)?)
    });
    let received = read_all(&mut reader, COUNT, qos)?;
    let took = begin.elapsed();
    drop(reader);
    println!(
        "throughput  {name:16} {:.0}/s, {received} of {COUNT}",
        received as f64 / took.as_secs_f64()
    );
    writing.join().map_err(|_| "the writer panicked")??;
    draining.join().map_err(|_| "the reader of acknowledgements panicked")??;
    Ok(())
}

/// Reads in large pieces, acknowledging as it goes, until all is here or nothing comes for a second.
fn read_all(reader: &mut TcpStream, count: usize, qos: u8) -> Outcome<usize> {
    reader.set_read_timeout(Some(Duration::from_secs(1)))?;
    let (mut buffer, mut chunk, mut received) = (Vec::new(), vec![0; 64 * 1024], 0);
    let size = publish(qos, 1).len();
    while received < count {
        let Ok(length) = reader.read(&mut chunk) else { break };
        if length == 0 {
            break;
        }
        buffer.extend_from_slice(&chunk[..length]);
        let whole = buffer.len() / size;
        let mut acks = Vec::new();
        for packet in buffer[..whole * size].chunks(size).filter(|_| qos > 0) {
            acks.extend([0x40, 2, packet[size - 18], packet[size - 17]]);
        }
        reader.write_all(&acks)?;
        buffer.drain(..whole * size);
        received += whole;
    }
    Ok(received)
}

fn client(addr: SocketAddr, id: &str) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    let mut connect = b"\x10\0\0\x04MQTT\x04\xC2\0\0".to_vec();
    for text in [id, "measure", "measure"] {
        connect.extend([0, text.len() as u8]);
        connect.extend(text.as_bytes());
    }
    connect[1] = connect.len() as u8 - 2;
    stream.write_all(&connect)?;
    packet(&mut stream)?;
    Ok(stream)
}

fn subscribe(stream: &mut TcpStream, filter: &str, qos: u8) -> Outcome<()> {
    let mut bytes = vec![0x82, filter.len() as u8 + 5, 0, 1, 0, filter.len() as u8];
    bytes.extend(filter.as_bytes());
    bytes.push(qos);
    stream.write_all(&bytes)?;
    packet(stream)?;
    Ok(())
}

/// A PUBLISH to `m/1` with 16 bytes.
fn publish(qos: u8, pid: u16) -> Vec<u8> {
    let mut bytes = vec![0x30 | (qos << 1), 0, 0, 3, b'm', b'/', b'1'];
    if qos > 0 {
        bytes.extend(pid.to_be_bytes());
    }
    bytes.extend([b'x'; 16]);
    bytes[1] = bytes.len() as u8 - 2;
    bytes
}

fn packet(stream: &mut TcpStream) -> Outcome<Vec<u8>> {
    let mut header = [0; 2];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; usize::from(header[1])];
    stream.read_exact(&mut body)?;
    Ok(body)
}
