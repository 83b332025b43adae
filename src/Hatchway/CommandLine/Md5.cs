using System.Buffers.Binary;
using System.Numerics;

namespace Hatchway.CommandLine;

/// <summary>MD5 (RFC 1321), to compute the same MAC addresses as bhyve; nothing is secret. .NET's own would need OpenSSL on the
/// host.</summary>
internal static class Md5
{
    private const int BlockBytes = 64;

    // RFC 1321 §3.4: the rotation of each step in the four rounds.
    private static readonly int[] Rotations = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

    /// <summary>Computes the digest, 16 bytes.</summary>
    public static byte[] Digest(ReadOnlySpan<byte> bytes)
    {
        // The message, a one bit, zeroes, and the message's length in bits, in whole blocks (§3.1, §3.2).
        var padded = new byte[(bytes.Length + 9 + BlockBytes - 1) / BlockBytes * BlockBytes];
        bytes.CopyTo(padded);
        padded[bytes.Length] = 0x80;
        BinaryPrimitives.WriteUInt64LittleEndian(padded.AsSpan(padded.Length - 8), (ulong)bytes.Length * 8);
        uint[] state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
        for (var at = 0; at < padded.Length; at += BlockBytes)
            Add(state, padded.AsSpan(at, BlockBytes));
        var digest = new byte[16];
        for (var i = 0; i < state.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(digest.AsSpan(4 * i), state[i]);
        return digest;
    }

    // §3.4
    private static void Add(uint[] state, ReadOnlySpan<byte> block)
    {
        var (a, b, c, d) = (state[0], state[1], state[2], state[3]);
        for (var step = 0; step < 64; step++)
        {
            var (mixed, word) = (step / 16) switch
            {
                0 => ((b & c) | (~b & d), step),
                1 => ((b & d) | (c & ~d), ((5 * step) + 1) % 16),
                2 => (b ^ c ^ d, ((3 * step) + 5) % 16),
                _ => (c ^ (b | ~d), 7 * step % 16),
            };
            var constant = (uint)(Math.Abs(Math.Sin(step + 1)) * (1L << 32));
            var sum = a + mixed + constant + BinaryPrimitives.ReadUInt32LittleEndian(block[(4 * word)..]);
            (a, d, c, b) = (d, c, b, b + BitOperations.RotateLeft(sum, Rotations[(4 * (step / 16)) + (step % 4)]));
        }
        (state[0], state[1], state[2], state[3]) = (state[0] + a, state[1] + b, state[2] + c, state[3] + d);
    }
}
