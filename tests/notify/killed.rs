//! A process that is killed between deliveries, with a receiver that is away meanwhile.
